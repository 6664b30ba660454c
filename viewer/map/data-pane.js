/**
 * What a side shows, drawn into a pane of a map: from cubes of numbers where the layer has them, else from pictures.
 *
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("../vendor/leaflet.js").Map} LeafletMap
 * @typedef {{ minzoom: number, maxzoom: number }} Zooms levels at which the layer has tiles; beyond the last it is enlarged
 * @typedef {{ map: LeafletMap, side: Side, pane: string, of: Layer, zooms: Zooms }} Task
 * @typedef {{ close: () => void }} Drawing
 */
import { fetchTileJson } from "../base/api.js";
import { dismiss, notify, view, zoomToLayer } from "../base/state.js";
import { text } from "../base/text.js";
import { computed, effect, untracked } from "../vendor/signals-core.js";
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

export class DataPane {
	#stop;
	/** Whether the server tells no colours for numbers; its pictures have them all the same. */
	#isWithoutColours = computed(() => !this.side.legend.value && this.side.legendFault.value !== null);

	/** @param {LeafletMap} map @param {Side} side @param {string} [pane] of the map, in which it is drawn */
	constructor(map, side, pane = "tilePane") {
		this.map = map;
		this.side = side;
		this.pane = pane;
		const stops = [effect(() => this.#follow()), effect(() => this.#advise())];
		this.#stop = () => {
			for (const stop of stops) stop();
		};
	}

	/** Takes away what is drawn, and draws nothing any more. */
	close() {
		this.#stop();
	}

	/** Draws the layer when its dates are known. */
	#follow() {
		const { layer, style, timeDomain, tileProgress } = this.side;
		const of = layer.value;
		const { phase } = timeDomain.value;
		if (!of) return;
		if (hasCubes(of)) loader.prepare();
		let isOver = false;
		tileProgress.value = { phase: "loading", failed: 0, total: 0 };
		const zooms = zoomsOf(of, style.peek());
		const failed = (/** @type {Error} */ error) => {
			if (isOver) return;
			tileProgress.value = { phase: "shown", failed: 0, total: 0 };
			const retry = { label: text("action.tryAgain"), run: () => this.#again() };
			notify(this.#id("tiles"), text("map.layerFailed", { layer: of.title, why: error.message }), retry);
		};
		let stopDrawing = () => {};
		zooms.then((found) => {
			if (phase === "ready" && !isOver) stopDrawing = effect(() => this.#draw(of, found));
		}, failed);
		return () => {
			isOver = true;
			stopDrawing();
			dismiss(this.#id("tiles"));
		};
	}

	/** @param {string} about */
	#id(about) {
		return this.side.id === "a" ? about : `${about} ${this.side.id}`;
	}

	/** Asks once more for a layer that could not be drawn. */
	#again() {
		const { dates } = this.side;
		dates.value = { ...dates.peek() };
	}

	/** @param {Layer} of @param {Zooms} zooms @returns {() => void} takes away what is drawn */
	#draw(of, zooms) {
		const { periods } = this.side.timeDomain.peek();
		const isOfNumbers = hasCubes(of) && !this.#isWithoutColours.value && periods?.cubes !== null;
		const Kind = isOfNumbers ? CubeDrawing : PictureDrawing;
		// The server has no maps of what is usual.
		if (!isOfNumbers && (periods?.method === "usual" || periods?.method === "usual_dates")) {
			this.side.tileProgress.value = { phase: "shown", failed: 0, total: 0 };
			notify(this.#id("tiles"), text("period.noUsual", { layer: of.title }));
			return () => {};
		}
		return untracked(() => {
			/** @type {Drawing} */
			const drawing = new Kind({ map: this.map, side: this.side, pane: this.pane, of, zooms });
			this.#adviseOn(of, zooms);
			return () => drawing.close();
		});
	}

	#advise() {
		const of = this.side.layer.value;
		if (!of || !view.value) return;
		known.get(of)?.then(
			(zooms) => this.side.layer.peek() === of && this.#adviseOn(of, zooms),
			() => {},
		);
	}

	/** Says where the layer is when nothing of it can be seen on the map. @param {Layer} of @param {Zooms} zooms */
	#adviseOn(of, { minzoom }) {
		if (!view.peek()) return;
		const bounds = this.map.getBounds();
		const box = {
			west: bounds.getWest(),
			south: bounds.getSouth(),
			east: bounds.getEast(),
			north: bounds.getNorth(),
		};
		const zoom = this.map.getZoom();
		const tell = (/** @type {import("../base/text.js").TextKey} */ key) =>
			notify(this.#id("view"), text(key, { layer: of.title }), {
				label: text("map.zoomToLayer"),
				run: () => zoomToLayer(of),
			});
		if (!covers(of.bbox, box)) tell("map.outsideView");
		else if (isTooSmall(of.bbox, zoom)) tell("map.tooSmall");
		else if (zoom < minzoom) tell("map.tooFarOut");
		else dismiss(this.#id("view"));
	}
}
