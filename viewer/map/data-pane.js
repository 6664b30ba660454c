/**
 * Draws a side into a pane of a map: from cubes if the layer has them, else from pictures.
 *
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("../vendor/leaflet.js").Map} LeafletMap
 * @typedef {{ minzoom: number, maxzoom: number }} Zooms zooms at which the layer has tiles; beyond the last they are
 *   enlarged
 * @typedef {{ map: LeafletMap, side: Side, pane: string, of: Layer, zooms: Zooms }} Task
 */
import { fetchTileJson, isStatic } from "../base/api.js";
import { live } from "../base/live.js";
import {
	changeDates,
	dismiss,
	noticeOf,
	notify,
	reportTileProgress,
	tryAgain,
	view,
	zoomToLayer,
} from "../base/state.js";
import { text } from "../base/text.js";
import { computed, untracked } from "../vendor/signals-core.js";
import { CubeDrawing, loader } from "./cubes.js";
import { covers, isTooSmall } from "./extent.js";
import { PictureDrawing } from "./pictures.js";

/** @type {WeakMap<Layer, Promise<Zooms>>} */
const known = new WeakMap();

/** Requests the zooms once. @param {Layer} of @param {string} style @returns {Promise<Zooms>} */
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

/** Whether the layer has cubes and not only pictures. @param {Layer} of */
export const hasCubes = (of) => of.links?.some(({ rel }) => rel === "cubes") ?? false;

/**
 * Draws a side until the surrounding scope ends.
 * @param {LeafletMap} map
 * @param {Side} side
 * @param {string} [pane] of the map
 */
export function drawSide(map, side, pane = "tilePane") {
	const { layer, style, timeDomain } = side;
	const notice = noticeOf(side, "tiles");
	/** Whether the server has no colours for the layer's numbers; its pictures are coloured nevertheless. */
	const isWithoutColours = computed(() => !side.legend.value && side.legendFault.value !== null);

	// Draws the layer when its dates are loaded.
	live(() => {
		const of = layer.value;
		const { phase } = timeDomain.value;
		if (!of) return;
		if (hasCubes(of)) loader.prepare();
		let isOver = false;
		reportTileProgress(side, { phase: "loading", failed: 0, total: 0 });
		const failed = (/** @type {Error} */ error) => {
			if (isOver) return;
			reportTileProgress(side, { phase: "shown", failed: 0, total: 0 });
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

	/** Requests a failed layer again. */
	function again() {
		changeDates(side);
	}

	/** @param {Layer} of @param {Zooms} zooms */
	function draw(of, zooms) {
		const { periods } = timeDomain.peek();
		const isOfNumbers = hasCubes(of) && !isWithoutColours.value && periods?.cubes !== null;
		// The server has no pictures of normals, and static sites have cubes only.
		if (!isOfNumbers && (isStatic || periods?.method === "usual" || periods?.method === "usual_dates")) {
			reportTileProgress(side, { phase: "shown", failed: 0, total: 0 });
			if (!isStatic) notify(notice, text("period.noUsual", { layer: of.title }));
			// Missing colours are reported where they are requested.
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

	/**
	 * Shows a notice with the location of a layer that is not visible on the map.
	 * @param {Layer} of
	 * @param {Zooms} zooms
	 */
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
