import * as api from "./api";
import type { Store } from "./store";
import { STATES_IN_SERVICE, type Overview } from "./types";

const OVERVIEW_EVERY_MS = 10_000;
const RETRY_MS = 3000;
const SOON_MS = 2000;
/** Counting otherwise than the server asks for a load, but no oftener than this. */
const RECONCILE_EVERY_MS = 60_000;

export interface LoaderHandlers {
  loaded(): void;
  overview(overview: Overview): void;
  /** Something could not be loaded, or (null) all is well again. */
  failed(detail: string | null): void;
  refused(): void;
}

/** Fills the store from the API: everything at the start and after a reset, the overviews every ten seconds. */
export class Loader {
  private running = false;
  private loading: Promise<void> | null = null;
  private again = false;
  private timer = 0;
  private soon = 0;
  private first = true;
  private loadedMs = 0;

  constructor(
    private readonly store: Store,
    private readonly handlers: LoaderHandlers,
  ) {}

  start(): void {
    this.running = true;
    window.clearInterval(this.timer);
    this.timer = window.setInterval(() => void this.guard(() => this.overviews()), OVERVIEW_EVERY_MS);
  }

  stop(): void {
    this.running = false;
    window.clearInterval(this.timer);
    window.clearTimeout(this.soon);
  }

  /** Load everything; a call during a load makes one more follow it. */
  load(): Promise<void> {
    if (this.loading) {
      this.again = true;
      return this.loading;
    }
    this.loading = this.guard(() => this.everything()).then((done) => {
      this.loading = null;
      const again = this.again || !done;
      this.again = false;
      if (again && this.running) this.loadSoon(done ? 0 : RETRY_MS);
    });
    return this.loading;
  }

  loadSoon(afterMs = SOON_MS): void {
    window.clearTimeout(this.soon);
    this.soon = window.setTimeout(() => void this.load(), afterMs);
  }

  private async everything(): Promise<void> {
    this.store.setTowns(await api.towns());
    await this.overviews();
    const ids = new Set<string>();
    for await (const page of api.devices()) {
      this.store.addDevices(page);
      for (const device of page) ids.add(device.id);
    }
    this.store.keepOnly(ids);
    if (this.first) this.handlers.loaded();
    this.first = false;
    this.loadedMs = Date.now();
  }

  private async overviews(): Promise<void> {
    const overviews = await Promise.all(this.store.towns.map((town) => api.overview(town.id)));
    for (const overview of overviews) {
      this.handlers.overview(overview);
      this.store.setOverview(overview);
    }
    const due = Date.now() - this.loadedMs > RECONCILE_EVERY_MS;
    if (!this.loading && due && overviews.some((overview) => this.differs(overview))) this.loadSoon();
  }

  /** Whether the server counts other devices in a town than the page does. */
  private differs({ town }: Overview): boolean {
    let difference = 0;
    for (const state of STATES_IN_SERVICE) {
      let here = 0;
      for (const entry of this.store.devices.values()) if (entry.town === town.id && entry.state === state) here++;
      difference += Math.abs(here - (town.devices[state] ?? 0));
    }
    return difference > 0;
  }

  private async guard(run: () => Promise<void>): Promise<boolean> {
    try {
      await run();
      this.handlers.failed(null);
      return true;
    } catch (error) {
      if (error instanceof api.ApiError && error.status === 401) this.handlers.refused();
      else this.handlers.failed(error instanceof api.ApiError && error.status !== 0 ? error.message : "");
      return false;
    }
  }
}
