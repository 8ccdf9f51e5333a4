// The address bar: where this page is, and how it goes elsewhere without being loaded again.
import { type PageEntry, pages } from "./pages/pages.ts";
import { match, type Params } from "./routes.ts";

interface Place {
  page: PageEntry | undefined;
  params: Params;
  path: string;
  query: URLSearchParams;
}

class Router {
  place = $state.raw<Place>(here());
  #left = new Map<string, string>();

  constructor() {
    addEventListener("popstate", () => (this.place = here()));
  }

  /** Goes to an address of the console. */
  go(address: string): void {
    this.#left.set(location.pathname, location.pathname + location.search);
    history.pushState(null, "", address);
    this.place = here();
  }

  /** The address of the page at `path`, with its parameters as they were when it was left. */
  leftAt(path: string): string {
    return this.#left.get(path) ?? path;
  }

  /** The address of what is already on screen. */
  rename(address: string): void {
    history.replaceState(null, "", address);
    this.place = here();
  }

  /** Changes parameters of what is on screen; empty ones leave the address. */
  refine(parameters: Record<string, string>): void {
    const query = new URLSearchParams(this.place.query);
    for (const [name, value] of Object.entries(parameters)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    this.rename(query.size ? `${location.pathname}?${query}` : location.pathname);
  }
}

/** Makes plain links go through the router. */
export function followLinks(event: MouseEvent): void {
  const link = (event.target as Element).closest("a");
  const special = event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (
    !link ||
    special ||
    event.defaultPrevented ||
    link.target ||
    link.origin !== location.origin ||
    isWithinPage(link)
  ) {
    return;
  }
  if (link.hasAttribute("download") || !find(link.pathname).page) return;
  event.preventDefault();
  if (link.href === location.href) router.rename(link.href);
  else router.go(link.href);
}

/** The browser itself scrolls to another part of what is on screen. */
function isWithinPage(link: HTMLAnchorElement): boolean {
  const { pathname, search } = location;
  return link.hash !== "" && link.pathname === pathname && link.search === search;
}

function here(): Place {
  return { ...find(location.pathname), query: new URLSearchParams(location.search) };
}

function find(path: string): Omit<Place, "query"> {
  for (const page of pages) {
    const params = match(page.path, path);
    if (params) return { page, params, path };
  }
  return { page: undefined, params: {}, path };
}

export const router = new Router();
