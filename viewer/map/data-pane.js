/**
 * What a side shows, drawn into a pane of a map: from cubes of numbers where the layer has them, else from pictures.
 *
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("../vendor/leaflet.js").Map} LeafletMap
 * @typedef {{ minzoom: number, maxzoom: number }} Zooms levels at which the layer has tiles; beyond the last it is
 *   enlarged
 * @typedef {{ map: LeafletMap, side: Side, pane: string, of: Layer, zooms: Zooms }} Task
 */
import { fetchTileJson, isStatic } from "../base/api.js";
import { live } from "../base/live.js";
import { dismiss, noticeOf, notify, tryAgain, view, zoomToLayer } from "../base/state.js";
import { text } from "../base/text.js";
import { computed, untracked } from "../vendor/signals-core.js";
import { CubeDrawing, loader } from "./cubes.js";
import { covers, isTooSmall } from "./extent.js";
import { PictureDrawing } from "./pictures.js";

/** @type {WeakMap<Layer, Promise<Zooms>>} */
const known = new WeakMap();

/** Asked for once. @param {Layer} of @param {string} style @returns {Promise<Zooms>} */
function zoomsOf(of, style) {
	let zooms = known.get(of);
	if (!zooms) {
		const when = of.times.default ?? of.times.last;
		zooms = fetchTileJson(of, style, when, new AbortController().signal);
		known.set(of, zooms);
		zooms.catch(() => known.delete(of));
	}
	return zooms;
}

/** Whether the layer tells its numbers and not only its colours. @param {Layer} of */
export const hasCubes = (of) => of.links?.some(({ rel }) => rel === "cubes") ?? false;

/**
 * Draws what a side shows, until the scope ends in which this is begun.
 * @param {LeafletMap} map
 * @param {Side} side
 * @param {string} [pane] of the map, in which it is drawn
 */
export function drawSide(map, side, pane = "tilePane") {
	const { layer, style, timeDomain, tileProgress } = side;
	const notice = noticeOf(side, "tiles");
	/** Whether the server tells no colours for numbers; its pictures have them all the same. */
	const isWithoutColours = computed(() => !side.legend.value && side.legendFault.value !== null);

	// Draws the layer when its dates are known.
	live(() => {
		const of = layer.value;
		const { phase } = timeDomain.value;
		if (!of) return;
		if (hasCubes(of)) loader.prepare();
		let isOver = false;
		tileProgress.value = { phase: "loading", failed: 0, total: 0 };
		const failed = (/** @type {Error} */ error) => {
			if (isOver) return;
			tileProgress.value = { phase: "shown", failed: 0, total: 0 };
			notify(notice, text("map.layerFailed", { layer: of.title, why: error.message }), tryAgain(again));
		};
		let stopDrawing = () => {};
		zoomsOf(of, style.peek()).then((found) => {
			if (phase === "ready" && !isOver) stopDrawing = live(() => draw(of, found));
		}, failed);
		return () => {
			isOver = true;
			stopDrawing();
			dismiss(notice);
		};
	});
	live(() => {
		const of = layer.value;
		if (!of || !view.value) return;
		known.get(of)?.then(
			(zooms) => layer.peek() === of && adviseOn(of, zooms),
			() => {},
		);
	});

	/** Asks once more for a layer that could not be drawn. */
	function again() {
		side.dates.value = { ...side.dates.peek() };
	}

	/** @param {Layer} of @param {Zooms} zooms */
	function draw(of, zooms) {
		const { periods } = timeDomain.peek();
		const isOfNumbers = hasCubes(of) && !isWithoutColours.value && periods?.cubes !== null;
		// The server has no maps of what is usual, and files are of numbers alone.
		if (!isOfNumbers && (isStatic || periods?.method === "usual" || periods?.method === "usual_dates")) {
			tileProgress.value = { phase: "shown", failed: 0, total: 0 };
			if (!isStatic) notify(notice, text("period.noUsual", { layer: of.title }));
			// That there are no colours is told where they are asked for.
			else if (!isWithoutColours.value)
				notify(notice, text("map.layerFailed", { layer: of.title, why: text("error.needsServer") }));
			return;
		}
		const Kind = isOfNumbers ? CubeDrawing : PictureDrawing;
		untracked(() => {
			new Kind({ map, side, pane, of, zooms });
			adviseOn(of, zooms);
		});
	}

	/** Says where the layer is when nothing of it can be seen on the map. @param {Layer} of @param {Zooms} zooms */
	function adviseOn(of, { minzoom }) {
		if (!view.peek()) return;
		const [west, south, east, north] = map.getBounds().toBBoxString().split(",").map(Number);
		const zoom = map.getZoom();
		const tell = (/** @type {import("../base/text.js").TextKey} */ key) =>
			notify(noticeOf(side, "view"), text(key, { layer: of.title }), {
				label: text("map.zoomToLayer"),
				run: () => zoomToLayer(of),
			});
		if (!covers(of.bbox, { west, south, east, north })) tell("map.outsideView");
		else if (isTooSmall(of.bbox, zoom)) tell("map.tooSmall");
		else if (zoom < minzoom) tell("map.tooFarOut");
		else dismiss(noticeOf(side, "view"));
	}
}
