import "@fontsource/be-vietnam-pro/latin-400.css";
import "@fontsource/be-vietnam-pro/latin-600.css";
import "@fontsource/be-vietnam-pro/vietnamese-400.css";
import "@fontsource/be-vietnam-pro/vietnamese-600.css";
import "leaflet/dist/leaflet.css";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/header.css";
import "./styles/layout.css";
import "./styles/towns.css";
import "./styles/table.css";
import "./styles/problems.css";
import "./styles/situation.css";
import "./styles/detail.css";
import "./styles/login.css";
import "./styles/map.css";
import "./styles/sheet.css";
import "./styles/install.css";
import "./styles/admin.css";
import { adminSheet } from "./admin";
import * as api from "./api";
import { BannerView } from "./banners";
import { CardsView, tickHeadlines } from "./cards";
import { learnServerTime } from "./clock";
import { DayView } from "./day";
import { DetailView } from "./detail";
import { HeaderView } from "./header";
import { onLanguage } from "./i18n";
import { installSheet } from "./install";
import { Live } from "./live";
import { Loader } from "./loader";
import { LoginView } from "./login";
import { MapView } from "./map";
import { ProblemsView } from "./problems";
import { SituationView } from "./situation";
import { learnRights, mayAnywhere } from "./rights";
import { Store } from "./store";
import { TableView } from "./table";
import { startTheme } from "./theme";
import { everySecond, tick } from "./tick";
import type { Session } from "./types";
import { WatersView } from "./waters";

const store = new Store();
const banners = new BannerView();
const toggleTheme = startTheme(() => {
  map.repaint();
  detail.redraw();
});
const header = new HeaderView(
  store,
  toggleTheme,
  () => void enter(),
  () => void leave(),
);
const cards = new CardsView(store);
const map = new MapView(store);
const table = new TableView(store, (id) => {
  store.select(id);
  requestAnimationFrame(() => detail.focus());
});
const problems = new ProblemsView(store);
const situation = new SituationView(store);
const dayView = new DayView(store);
const waters = new WatersView(store);
const detail = new DetailView(store, () => {
  store.select(null);
  table.focus();
});
// What was loaded before belongs to somebody else.
const login = new LoginView(() => location.reload());

const loader = new Loader(store, {
  loaded: () => {
    map.focus(store.towns.find((town) => town.id === store.filter.town));
    detail.reload();
  },
  overview: (overview) => learnServerTime(overview.generated_time),
  failed: (detail) => banners.setFailed(detail),
  refused: () => refuse(),
});

const live = new Live({
  load: () => void loader.load(),
  change: (devices) => {
    const unknown = devices.filter((change) => !store.apply(change));
    if (unknown.length > 0 && store.devices.size > 0) loader.loadSoon();
  },
  state: (state) => {
    store.live = state === "connected";
    banners.setCut(state === "cut");
    detail.lineChanged();
    header.tick(live);
  },
  refused: () => refuse(),
});

store.onChange((changes) => {
  if (changes.place) map.focus(store.towns.find((town) => town.id === store.filter.town));
  if (changes.towns) header.drawTowns();
  if (changes.towns || changes.list) {
    cards.draw();
    situation.draw();
    dayView.draw();
    problems.draw();
  }
  waters.draw(changes);
  map.draw(changes);
  table.draw(changes);
  detail.draw(changes);
});

onLanguage(() => {
  for (const view of [header, banners, login, map, table]) view.words();
  cards.draw();
  situation.draw();
  dayView.draw();
  problems.draw();
  waters.relist();
  detail.redraw();
  header.tick(live);
});

everySecond(() => {
  store.age();
  tick();
  tickHeadlines();
  banners.words();
  header.tick(live);
});

let offered = false;

function refuse(): void {
  live.close();
  loader.stop();
  api.session().then(
    (session) => login.ask(session.openid),
    () => login.ask(false),
  );
}

async function enter(): Promise<void> {
  const session = await api.session().catch(() => null);
  login.ask(session?.openid ?? false, false);
}

async function leave(): Promise<void> {
  await api.logOut();
  location.reload();
}

async function start(): Promise<void> {
  try {
    const session = await api.session();
    banners.setOpen(session.open);
    if (session.role === null && !session.open) {
      refuse();
      return;
    }
    header.setLogin(session.open && session.csrf === null, session.csrf !== null);
    offerWork(session);
    live.open();
    loader.start();
  } catch (error) {
    if (error instanceof api.ApiError && error.status === 401) {
      refuse();
      return;
    }
    banners.setFailed(error instanceof api.ApiError ? error.message : String(error));
    window.setTimeout(() => void start(), 3000);
  }
}

/** Offers what the roles allow; the server decides all the same. */
function offerWork(session: Session): void {
  learnRights(session);
  if (offered) return;
  offered = true;
  if (mayAnywhere("operator")) {
    const sheet = installSheet(store);
    header.addWork("install", "installTitle", () => sheet.open());
  }
  if (mayAnywhere("administrator")) {
    const sheet = adminSheet(store);
    header.addWork("admin", "adminTitle", () => sheet.open());
  }
}

void start();
