import { ApiError, session } from "./api";
import type { DeviceChange } from "./types";

export type LiveState = "connecting" | "connected" | "cut";

export interface LiveHandlers {
  /** The stream stands anew: everything before may have been missed, so load. */
  load(): void;
  change(devices: DeviceChange[]): void;
  state(state: LiveState): void;
  /** The server wants a log-in. */
  refused(): void;
}

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
/** Connecting twice as long as this counts as cut. */
const OPEN_WITHIN_MS = 8000;

/**
 * The change stream. The browser's EventSource resumes by itself with Last-Event-ID after a cut line; where it gives up
 * (an error status, a server that is away) this opens a new one, waiting longer each time, up to half a minute.
 */
export class Live {
  private source: EventSource | null = null;
  private retry_ms = FIRST_RETRY_MS;
  private timer = 0;
  private watch = 0;
  /** Whether the browser has an id to resume from; without one a mended line may have missed changes. */
  private resumable = false;
  state: LiveState = "connecting";
  /** When the last change arrived, by the desk's clock; null before the first. */
  lastEventMs: number | null = null;

  constructor(private readonly handlers: LiveHandlers) {
    addEventListener("online", () => this.open());
    addEventListener("offline", () => this.become("cut"));
  }

  open(): void {
    this.close();
    const source = new EventSource("/v1/live");
    this.source = source;
    this.resumable = false;
    this.watch = window.setTimeout(() => this.state !== "connected" && this.lost(), OPEN_WITHIN_MS);
    source.addEventListener("hello", (event: MessageEvent<string>) => {
      window.clearTimeout(this.watch);
      this.retry_ms = FIRST_RETRY_MS;
      this.become("connected");
      if (!this.resumable) this.handlers.load();
      this.resumable = event.lastEventId !== "";
    });
    source.addEventListener("change", (event: MessageEvent<string>) => {
      this.lastEventMs = Date.now();
      this.resumable = true;
      if (this.state !== "connected") this.become("connected");
      this.handlers.change((JSON.parse(event.data) as { devices: DeviceChange[] }).devices);
    });
    source.addEventListener("reset", () => this.handlers.load());
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) this.lost();
      else this.become("cut");
    });
  }

  close(): void {
    window.clearTimeout(this.timer);
    window.clearTimeout(this.watch);
    this.source?.close();
    this.source = null;
  }

  private lost(): void {
    this.close();
    this.become("cut");
    // EventSource hides the status of the answer; the session tells a lost log-in from a lost server.
    session().then(
      ({ role, open }) => role === null && !open && this.handlers.refused(),
      (error: unknown) => error instanceof ApiError && error.status === 401 && this.handlers.refused(),
    );
    this.timer = window.setTimeout(() => this.open(), this.retry_ms * (0.75 + Math.random() / 2));
    this.retry_ms = Math.min(this.retry_ms * 2, LONGEST_RETRY_MS);
  }

  private become(state: LiveState): void {
    this.state = state;
    this.handlers.state(state);
  }
}
