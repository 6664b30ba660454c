/** The current view of side A, in the form from which addresses of the server are made. */
import { nameOf, periodParameters, rootUrl } from "../base/api.js";
import { AS_STYLED, colouring, compareMode, instant, layer, style, timeDomain, view } from "../base/state.js";
import { differenceRange, inOrder, shownDifference } from "../compare/second-side.js";
import { locate } from "../ctc1/source.js";
import { maps } from "../map/map.js";

/** @typedef {import("./addresses.js").Shown} Shown */

const TILE_PX = 256;
/** Half of the way around the Earth in Web Mercator. */
const HALF_WORLD_M = 20_037_508.342_789_244;
/** Finest zoom at which the tiles of every layer can be requested. */
const MOST_ZOOM = 18;

/** @returns {Shown | null} null while no layer is shown */
export function currentView() {
	const [of, now, map] = [layer.peek(), view.peek(), maps.peek()[0]];
	if (!of || !now || !map) return null;
	const { min, max } = map.getPixelBounds();
	const zoom = map.getZoom();
	if (!min || !max) return null;
	const pixelM = (2 * HALF_WORLD_M) / (TILE_PX * 2 ** zoom);
	const metresAt = (/** @type {number} */ x, /** @type {number} */ y) =>
		/** @type {const} */ ([x * pixelM - HALF_WORLD_M, HALF_WORLD_M - y * pixelM]);
	const { x: width, y: height } = map.getSize();
	const difference = differenceShown();
	const period = periodParameters(timeDomain.peek().periods);
	return {
		root: rootUrl(),
		layer: of,
		name: nameOf(of),
		style: style.peek(),
		colouring: colouring.peek(),
		instant: instant.peek()?.text ?? null,
		period: difference?.earlier === null ? { ...period, anomaly: "abs" } : period,
		bbox: now.bbox,
		metres: [...metresAt(min.x, max.y), ...metresAt(max.x, min.y)],
		width,
		height,
		centre: locate({ lon: map.getCenter().lng, lat: map.getCenter().lat }, Math.min(MOST_ZOOM, zoom)).tile,
		wms: servicePath(of, "wms"),
		wmts: servicePath(of, "wmts"),
		difference,
	};
}

/**
 * Returns the shown difference if the server can make it, that is of two dates of one layer.
 * @returns {Shown["difference"]}
 */
function differenceShown() {
	const [sides, painted] = [inOrder.peek(), shownDifference.peek()];
	if (compareMode.peek() !== "diff" || !sides || !painted) return null;
	const [later, earlier] = [sides.later, sides.earlier].map((side) => side.instant.peek()?.text);
	const isUsual = sides.earlier.isUsual.peek();
	const { method, by } = timeDomain.peek().periods ?? {};
	// The server reduces both sides of an anomaly alike, and has no difference of two.
	if (method === "anomaly" || (isUsual && method && by === "mean")) return null;
	const isOne = sides.later.layer.peek()?.id === sides.earlier.layer.peek()?.id;
	const isOwnRange = differenceRange.peek() === null && colouring.peek().range === null;
	const own = { ...AS_STYLED, range: isOwnRange ? null : painted.range };
	return isOne && later && earlier ? { later, earlier: isUsual ? null : earlier, colouring: own } : null;
}

/**
 * Returns the address of a service for a layer, without a query; null if it is not served.
 * @param {import("../base/api.js").Layer} layer
 * @param {"wms" | "wmts"} rel
 */
function servicePath({ links = [] }, rel) {
	const link = links.find((each) => each.rel === rel);
	// Behind a proxy the server may use another name in its links than the page.
	return link ? new URL(`.${new URL(link.href).pathname.slice(pathOfServer(links).length)}`, rootUrl()).href : null;
}

/**
 * Returns the path prefix of the server in its links: the part before its lists of layers.
 * @param {import("../base/api.js").LayerLink[]} links
 */
const pathOfServer = (links) =>
	new URL(links.find(({ rel }) => rel === "self")?.href ?? rootUrl()).pathname.replace(/\/layers\/.*$/, "");
