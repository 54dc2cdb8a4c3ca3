import L from "leaflet";
import type { Domain, State } from "./types";

/** What a marker looks like: outline by domain, fill and mark by state, so that neither rests on colour alone. */
export interface Look {
  domain: Domain;
  state: State;
  selected: boolean;
}

export interface Palette {
  states: Record<State, string>;
  outline: string;
  mark: string;
  selection: string;
}

/** What Leaflet's canvas renderer keeps on a circle marker; its types leave these out. */
interface Inner {
  _map: L.Map;
  _latlng: L.LatLng;
  _point: L.Point;
  _radius: number;
  _renderer: { _ctx: CanvasRenderingContext2D; _drawing: boolean };
  _updateBounds(): void;
  _empty(): boolean;
}

const SPACING_PX = 11;

export class DeviceMarker extends L.CircleMarker {
  constructor(
    latlng: L.LatLngExpression,
    readonly id: string,
    public look: Look,
    private readonly place: number,
    private readonly palette: () => Palette,
    options: L.CircleMarkerOptions,
  ) {
    super(latlng, options);
  }

  /** Several devices stand on one site: fan them out around it, closer together the further one is away. */
  _project(): void {
    const inner = this as unknown as Inner;
    const spread = SPACING_PX * Math.min(1, Math.max(0.25, (inner._map.getZoom() - 9) / 5));
    inner._point = inner._map.latLngToLayerPoint(inner._latlng).add(fan(this.place).multiplyBy(spread));
    inner._updateBounds();
  }

  _updatePath(): void {
    const inner = this as unknown as Inner;
    if (!inner._renderer._drawing || inner._empty()) return;
    draw(inner._renderer._ctx, inner._point, inner._radius, this.look, this.palette());
  }
}

/** Where the n-th device of a site stands, in steps from the site: the first in the middle, six around it, twelve around those. */
export function fan(place: number): L.Point {
  let ring = 0;
  let first = 0;
  while (place >= first + Math.max(1, 6 * ring)) first += Math.max(1, 6 * ring++);
  if (ring === 0) return L.point(0, 0);
  const angle = (2 * Math.PI * (place - first)) / (6 * ring);
  return L.point(ring * Math.cos(angle), ring * Math.sin(angle));
}

function outline(ctx: CanvasRenderingContext2D, domain: Domain, x: number, y: number, r: number): void {
  ctx.beginPath();
  if (domain === "environment") ctx.arc(x, y, r, 0, 2 * Math.PI);
  else if (domain === "lighting") ctx.rect(x - 0.86 * r, y - 0.86 * r, 1.72 * r, 1.72 * r);
  else {
    const d = 1.22 * r;
    ctx.moveTo(x, y - d);
    ctx.lineTo(x + d, y);
    ctx.lineTo(x, y + d);
    ctx.lineTo(x - d, y);
    ctx.closePath();
  }
}

function draw(ctx: CanvasRenderingContext2D, { x, y }: L.Point, r: number, look: Look, palette: Palette): void {
  const colour = palette.states[look.state];
  ctx.save();
  ctx.setLineDash([]);
  if (look.selected) {
    ctx.lineWidth = 3;
    ctx.strokeStyle = palette.selection;
    ctx.beginPath();
    ctx.arc(x, y, r + 5, 0, 2 * Math.PI);
    ctx.stroke();
  }
  const hollow = look.state === "never-seen" || look.state === "retired";
  outline(ctx, look.domain, x, y, r);
  ctx.fillStyle = hollow || look.state === "stale" ? palette.mark : colour;
  ctx.fill();
  if (look.state === "stale") {
    ctx.save();
    ctx.clip();
    ctx.fillStyle = colour;
    ctx.fillRect(x - 2 * r, y - 2 * r, 2 * r, 4 * r);
    ctx.restore();
    outline(ctx, look.domain, x, y, r);
  }
  if (hollow) ctx.setLineDash([2.5, 2]);
  ctx.lineWidth = hollow || look.state === "stale" ? 1.6 : 1;
  ctx.strokeStyle = hollow || look.state === "stale" ? colour : palette.outline;
  ctx.stroke();
  if (look.state === "offline") {
    const a = 0.5 * r;
    ctx.lineWidth = 2;
    ctx.strokeStyle = palette.mark;
    ctx.beginPath();
    ctx.moveTo(x - a, y - a);
    ctx.lineTo(x + a, y + a);
    ctx.moveTo(x + a, y - a);
    ctx.lineTo(x - a, y + a);
    ctx.stroke();
  }
  ctx.restore();
}
