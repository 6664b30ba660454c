/**
 * The year lens: the time of year of one date in all years, as small pictures of the map, to choose from.
 */
import { fetchTileJson, isStatic, tileTemplate } from "../base/api.js";
import { formatDayOfYear } from "../base/dates.js";
import { make } from "../base/elements.js";
import { colouring, layer, style, timeDomain, timeIndex, view } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { goTo } from "./playback.js";
import { makePopover } from "./popover.js";
import { tilesAround } from "./thumbnails.js";
import { sameTimeOfYears } from "./years.js";

const SIZE = { width: 112, height: 84 };
/** A picture shows four times as much of the land in each direction as the map in its place would. */
const ZOOM_OUT = 2;

/** Made once. @type {import("./popover.js").Popover | null} */
let popover = null;

/**
 * Shows the lens of a date above the strip.
 * @param {HTMLElement} strip @param {number} index @param {number} x of the date, from the window's left edge
 */
export function showLens(strip, index, x) {
	const host = /** @type {HTMLElement} */ (strip.closest("section"));
	popover ??= makeLens(host, strip);
	const lens = popover;
	const years = sameTimeOfYears(timeDomain.peek().instants, index);
	const heading = make("h2", {}, text("lens.heading", { date: dayText(index) }));
	const list = make("ul", {}, ...years.map((each) => makeItem(each, () => lens.close())));
	lens.element.replaceChildren(heading, list);
	if (years.length < 2) lens.element.append(make("p", { class: "hint" }, text("lens.none")));
	const width = Math.min(window.innerWidth, (SIZE.width + 24) * Math.max(2, years.length));
	lens.close();
	lens.open(() => new DOMRect(x - width / 2, strip.getBoundingClientRect().top, 0, 0));
	const chosen = lens.element.querySelector("[aria-pressed=true]");
	if (chosen instanceof HTMLElement) chosen.focus();
	void fillPictures(list);
}

/** A press on the strip closes it, and may start a drag. @param {HTMLElement} host @param {HTMLElement} strip */
function makeLens(host, strip) {
	const lens = makePopover("lens", { label: text("lens.title"), host });
	strip.addEventListener("pointerdown", () => lens.close());
	return lens;
}

/** @param {number} index */
const dayText = (index) => formatDayOfYear(timeDomain.peek().instants[index].ms, locale());

/** @param {import("./years.js").SameTime} same @param {() => void} close */
function makeItem({ year, index, days }, close) {
	const onclick = () => {
		close();
		goTo(index);
	};
	const title = days === 0 ? "" : text(days < 0 ? "lens.earlier" : "lens.later", { count: Math.abs(days) });
	const how = { "aria-pressed": String(index === timeIndex.peek()), title, onclick };
	const picture = make("span", { class: "picture", "data-index": String(index) });
	const words = [make("strong", {}, String(year)), make("span", {}, dayText(index))];
	return make("li", {}, make("button", how, picture, ...words));
}

/** Fills the pictures, whose size is set already. @param {HTMLElement} list */
async function fillPictures(list) {
	const [of, chosen, seen] = [layer.peek(), style.peek(), view.peek()];
	if (!of || !seen || isStatic) return;
	const { signal } = new AbortController();
	const { minzoom, maxzoom } = await fetchTileJson(of, chosen, null, signal).catch(() => ({ minzoom: 0, maxzoom: 0 }));
	if (maxzoom === 0) return;
	const zoom = Math.max(minzoom, Math.min(maxzoom, Math.round(seen.zoom) - ZOOM_OUT));
	for (const picture of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll(".picture"))) {
		const { text: datetime } = timeDomain.peek().instants[Number(picture.dataset.index)];
		const template = tileTemplate(of, chosen, datetime, colouring.peek(), timeDomain.peek().periods);
		for (const { z, x, y, left, top } of tilesAround(seen, zoom, SIZE)) {
			const src = template.replace("{z}", `${z}`).replace("{x}", `${x}`).replace("{y}", `${y}`);
			const tile = make("img", { alt: "", src });
			tile.style.cssText = `left: ${left}px; top: ${top}px`;
			picture.append(tile);
		}
	}
}
