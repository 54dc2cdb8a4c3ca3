import L from "leaflet";
import baseMapUrl from "./assets/base-map.json?url";
import { byId, h, icon, setText } from "./dom";
import { admits } from "./filter";
import { pick, t } from "./i18n";
import { DeviceMarker, type Palette } from "./markers";
import type { Changes, Entry, Store } from "./store";
import { DOMAINS, STATES_IN_SERVICE, type Town } from "./types";

/** Of the base map, but for a margin of sea and hills. */
const REGION = L.latLngBounds([15.45, 108.05], [16.0, 108.65]);
/** Room in pixels for the legend on the left and a town's name above it. */
const FIT = { paddingTopLeft: L.point(130, 34), paddingBottomRight: L.point(40, 16) };
/** Beyond this the base map is coarser than what it is compared with. */
const MAX_ZOOM = 16;

/** The map of devices over a base map that comes from this server alone. */
export class MapView {
  private readonly map: L.Map;
  private readonly base: L.GeoJSON;
  private readonly devices = L.layerGroup();
  private readonly renderer = L.canvas({ padding: 0.3, tolerance: 4 });
  private readonly markers = new Map<string, DeviceMarker>();
  private readonly labels = new Map<string, L.Tooltip>();
  private readonly note = h("p", { class: "map-note" });
  private readonly legend = h("ul", { class: "legend" });
  private readonly title = h("h2", { id: "map-title", class: "visually-hidden" });
  private readonly box = h("div", { id: "map", class: "map", role: "application", "data-markers": 0 });
  private palette: Palette = palette();
  private zoom: L.Control.Zoom | null = null;

  constructor(private readonly store: Store) {
    byId("map-panel").append(this.title, this.box, this.note, this.legend);
    this.map = L.map(this.box, {
      preferCanvas: true,
      attributionControl: false,
      zoomControl: false,
      renderer: this.renderer,
      minZoom: 8,
      maxZoom: MAX_ZOOM,
      maxBounds: REGION.pad(0.5),
      zoomSnap: 0.25,
      zoomAnimation: !reducedMotion(),
      fadeAnimation: !reducedMotion(),
    });
    this.map.fitBounds(REGION);
    const pane = this.map.createPane("base");
    pane.classList.add("base-pane");
    this.base = L.geoJSON(undefined, {
      pane: "base",
      interactive: false,
      renderer: L.canvas({ pane: "base", padding: 0.5 }),
      style: baseStyle,
    } as L.GeoJSONOptions).addTo(this.map);
    this.devices.addTo(this.map);
    this.map.on("zoomend", () => this.resize());
    new ResizeObserver(() => this.map.invalidateSize({ animate: false })).observe(this.box);
    void fetch(baseMapUrl).then(async (answer) => this.base.addData(await answer.json()));
    this.words();
  }

  words(): void {
    setText(this.title, t("mapTitle"));
    setText(this.note, t("mapNote"));
    this.box.setAttribute("aria-label", `${t("mapTitle")}. ${t("mapHelp")}`);
    this.legend.setAttribute("aria-label", t("legend"));
    this.legend.replaceChildren(
      ...DOMAINS.map((domain) => h("li", {}, icon(domain), t(`domain.${domain}`))),
      ...STATES_IN_SERVICE.map((state) => h("li", { "data-state": state }, icon(state), t(`state.${state}`))),
    );
    if (this.zoom) this.zoom.remove();
    this.zoom = L.control
      .zoom({ position: "topright", zoomInTitle: t("zoomIn"), zoomOutTitle: t("zoomOut") })
      .addTo(this.map);
    this.label("sea", [15.78, 108.56], t("sea"), "label-sea");
    for (const town of this.store.towns) this.labelTown(town);
  }

  draw(changes: Changes): void {
    if (changes.towns) for (const town of this.store.towns) this.labelTown(town);
    if (changes.list) this.relist();
    for (const id of changes.devices) this.restyle(id);
    if (changes.selection) this.reveal();
  }

  /** Show one town, or all. */
  focus(town: Town | undefined): void {
    if (town) {
      const [west, south, east, north] = town.bbox;
      this.map.fitBounds(
        [
          [south, west],
          [north, east],
        ],
        { ...FIT, animate: !reducedMotion() },
      );
    } else {
      const bounds = L.latLngBounds([]);
      for (const {
        bbox: [west, south, east, north],
      } of this.store.towns)
        bounds.extend([south, west]).extend([north, east]);
      this.map.fitBounds(bounds.isValid() ? bounds : REGION, { ...FIT, animate: !reducedMotion() });
    }
  }

  /** Take the colours of the page anew. */
  repaint(): void {
    this.palette = palette();
    this.base.setStyle(baseStyle);
    for (const marker of this.markers.values()) marker.setStyle({});
  }

  /** Markers for the devices the filter admits; on top those that need a look. */
  private relist(): void {
    const { filter } = this.store;
    const bySite = new Map<string, number>();
    const wanted = new Set<string>();
    for (const entry of this.store.devices.values()) {
      const place = bySite.get(entry.site.id) ?? 0;
      bySite.set(entry.site.id, place + 1);
      if (admits(filter, entry)) {
        wanted.add(entry.id);
        if (!this.markers.has(entry.id)) this.add(entry, place);
      }
    }
    for (const [id, marker] of this.markers) {
      if (wanted.has(id)) continue;
      this.devices.removeLayer(marker);
      this.markers.delete(id);
    }
    this.box.dataset["markers"] = String(this.markers.size);
  }

  private add(entry: Entry, place: number): void {
    const marker = new DeviceMarker(
      [entry.site.latitude, entry.site.longitude],
      entry.id,
      look(entry, this.store),
      place,
      () => this.palette,
      { renderer: this.renderer, radius: this.radius(), weight: 1, bubblingMouseEvents: false },
    );
    marker.on("click", () => this.store.select(entry.id));
    marker.bindTooltip(() => tooltip(this.store.devices.get(entry.id) ?? entry), { direction: "top", offset: [0, -6] });
    this.markers.set(entry.id, marker);
    this.devices.addLayer(marker);
  }

  private restyle(id: string): void {
    const marker = this.markers.get(id);
    const entry = this.store.devices.get(id);
    if (!marker || !entry) return;
    const next = look(entry, this.store);
    if (next.state === marker.look.state && next.selected === marker.look.selected) return;
    marker.look = next;
    marker.setStyle({});
    if (next.selected || next.state !== "online") marker.bringToFront();
  }

  private reveal(): void {
    const entry = this.store.selected ? this.store.devices.get(this.store.selected) : undefined;
    if (!entry) return;
    const point: L.LatLngTuple = [entry.site.latitude, entry.site.longitude];
    if (!this.map.getBounds().pad(-0.05).contains(point)) this.map.panTo(point, { animate: !reducedMotion() });
  }

  private radius(): number {
    return Math.max(4, Math.min(9, this.map.getZoom() - 6));
  }

  private resize(): void {
    const radius = this.radius();
    for (const marker of this.markers.values()) if (marker.getRadius() !== radius) marker.setRadius(radius);
  }

  private labelTown(town: Town): void {
    this.label(town.id, [town.bbox[3], (town.bbox[0] + town.bbox[2]) / 2], pick(town.name), "label-town");
  }

  private label(id: string, at: L.LatLngTuple, text: string, style: string): void {
    const known = this.labels.get(id);
    if (known) {
      known.setContent(text);
      return;
    }
    const label = L.tooltip({ permanent: true, direction: "center", className: `label ${style}`, interactive: false });
    this.labels.set(id, label.setLatLng(at).setContent(text).addTo(this.map));
  }
}

const reducedMotion = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;

const look = (entry: Entry, store: Store): DeviceMarker["look"] => ({
  domain: entry.domain,
  state: entry.state,
  selected: store.selected === entry.id,
});

function tooltip(entry: Entry): HTMLElement {
  return h("div", {}, h("strong", {}, entry.name), h("br"), `${entry.site.name} · ${t(`state.${entry.state}`)}`);
}

function colours(): (name: string) => string {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

function palette(): Palette {
  const colour = colours();
  return {
    states: {
      online: colour("online"),
      stale: colour("stale"),
      offline: colour("offline"),
      "never-seen": colour("never-seen"),
      retired: colour("retired"),
    },
    outline: colour("marker-outline"),
    mark: colour("marker-mark"),
    selection: colour("accent"),
  };
}

function baseStyle(feature?: GeoJSON.Feature): L.PathOptions {
  const colour = colours();
  switch (feature?.properties?.["kind"]) {
    case "land":
      return { stroke: true, color: colour("shore"), weight: 1, fill: true, fillColor: colour("land"), fillOpacity: 1 };
    case "lake":
      return {
        stroke: true,
        color: colour("shore"),
        weight: 0.7,
        fill: true,
        fillColor: colour("water"),
        fillOpacity: 1,
      };
    case "river":
      return { color: colour("river"), weight: 1.6, fill: false };
    default:
      return {
        color: colour("town-line"),
        weight: 1.4,
        dashArray: "5 4",
        fill: true,
        fillColor: colour("town"),
        fillOpacity: 0.5,
      };
  }
}
