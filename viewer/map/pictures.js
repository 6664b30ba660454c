/**
 * Pictures of a layer without cubes. Pictures of another date are loaded invisibly and replace the old ones when they
 * are complete, so that the map does not flicker. The dates around are loaded next, so that the next step needs no
 * requests.
 *
 * @typedef {import("./data-pane.js").Task} Task
 */
import { fetchProblem, tileTemplate } from "../base/api.js";
import { atEnd, live } from "../base/live.js";
import { dismiss, isDragged, isMoving, noticeOf, notify, reportTileProgress, tryAgain } from "../base/state.js";
import { text } from "../base/text.js";
import { closeSeams } from "../ctc1/leaflet.js";
import { TileLayer } from "../vendor/leaflet.js";
import { boxOfTile, covers } from "./extent.js";

/** Dates that change faster than this are not requested. */
const SCRUB_WAIT_MS = 80;
/** Number of following dates that are loaded in advance. */
const LOOK_AHEAD = 4;
const AHEAD_WAIT_MS = 400;
const NO_PICTURE = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";

/** Pictures inside the bbox of the layer only. */
class LayerTiles extends TileLayer {
	/** @param {Task} task @param {string} template */
	constructor({ of, pane, zooms }, template) {
		super(template, {
			className: "data-tiles",
			pane,
			keepBuffer: 0,
			maxNativeZoom: zooms.maxzoom,
			maxZoom: 24,
			minZoom: zooms.minzoom,
			opacity: 0,
			updateWhenZooming: false,
		});
		this.of = of;
	}

	/** @param {import("../vendor/leaflet.js").Point & { z: number }} coords */
	getTileUrl(coords) {
		return covers(this.of.bbox, boxOfTile(coords)) ? super.getTileUrl(/** @type {any} */ (coords)) : NO_PICTURE;
	}
}

export class PictureDrawing {
	/** @type {LayerTiles | null} */
	#shown = null;
	/** @type {LayerTiles | null} */
	#coming = null;
	/** @type {HTMLImageElement[]} */
	#ahead = [];

	/** @param {Task} task */
	constructor(task) {
		this.task = task;
		live(() => this.#follow());
		live(() => {
			const opacity = task.side.opacity.value;
			this.#shown?.setOpacity(opacity);
		});
		atEnd(() => {
			this.#coming?.remove();
			this.#shown?.remove();
			for (const image of this.#ahead) image.src = NO_PICTURE;
			this.#coming = this.#shown = null;
		});
	}

	/** @param {number} index of the date */
	#template(index) {
		const { of, side } = this.task;
		const { instants, periods } = side.timeDomain.peek();
		return tileTemplate(of, side.style.peek(), instants[index]?.text ?? null, side.colouring.peek(), periods);
	}

	#follow() {
		const { side } = this.task;
		const index = side.timeIndex.value;
		void [side.style.value, side.colouring.value];
		if (side.timeDomain.peek().phase !== "ready") return;
		reportTileProgress(side, { ...side.tileProgress.peek(), phase: "loading" });
		const stopping = new AbortController();
		this.#coming?.remove();
		this.#coming = null;
		// Pictures are requested when the pointer rests: those of passed dates would never be visible.
		if (isDragged.value) return;
		const load = () => this.#load(new LayerTiles(this.task, this.#template(index)), index, stopping.signal);
		const waiting = window.setTimeout(load, this.#shown ? SCRUB_WAIT_MS : 0);
		return () => {
			window.clearTimeout(waiting);
			stopping.abort();
		};
	}

	/** @param {LayerTiles} tiles @param {number} index @param {AbortSignal} signal */
	#load(tiles, index, signal) {
		this.#watch(tiles, signal);
		this.#coming = tiles;
		tiles.once("load", () => this.#show(tiles, index, signal));
		tiles.addTo(this.task.map);
		// Nothing to load: the layer is outside of the map.
		if (!tiles.isLoading()) this.#show(tiles, index, signal);
	}

	/** @param {LayerTiles} tiles @param {number} index @param {AbortSignal} signal */
	#show(tiles, index, signal) {
		if (tiles !== this.#coming) return;
		this.#coming = null;
		this.#shown?.remove();
		this.#shown = tiles;
		tiles.setOpacity(this.task.side.opacity.peek());
		const waiting = window.setTimeout(() => this.#lookAhead(tiles, index), isMoving.peek() ? 0 : AHEAD_WAIT_MS);
		signal.addEventListener("abort", () => window.clearTimeout(waiting));
	}

	/**
	 * Lets the browser fetch the pictures of the next dates, and of the one before.
	 * @param {LayerTiles} tiles
	 * @param {number} index
	 */
	#lookAhead(tiles, index) {
		if (/** @type {any} */ (window.navigator).connection?.saveData) return;
		const last = this.task.side.timeDomain.peek().instants.length - 1;
		const dates = [index - 1, ...Array.from({ length: LOOK_AHEAD }, (_, step) => index + 1 + step)];
		const now = this.#template(index).split("{z}/{x}/{y}.png");
		const sources = Object.values(/** @type {any} */ (tiles)._tiles).map(({ el }) => /** @type {string} */ (el.src));
		const urls = sources.filter((url) => url !== NO_PICTURE);
		const before = this.#ahead;
		this.#ahead = dates
			.filter((date) => date >= 0 && date <= last)
			.flatMap((date) => {
				const [, query] = this.#template(date).split("{z}/{x}/{y}.png");
				return urls.map((url) => url.replace(now[1], query));
			})
			.map((url) => Object.assign(new Image(), { src: url }));
		for (const image of before) image.src = NO_PICTURE;
	}

	/**
	 * Writes the progress of the pictures to the state, and shows why some failed.
	 * @param {LayerTiles} tiles
	 * @param {AbortSignal} signal
	 */
	#watch(tiles, signal) {
		const { side } = this.task;
		const notice = noticeOf(side, "tiles");
		let [failed, total, why, isComplete] = [0, 0, "", false];
		const report = () => {
			if (signal.aborted) return;
			isComplete ||= !tiles.isLoading();
			reportTileProgress(side, {
				phase: !isComplete ? "loading" : tiles.isLoading() ? "filling" : "shown",
				failed,
				total,
			});
			if (failed === 0) return dismiss(notice);
			const words = `${text("map.tilesFailed", { failed, count: total })} ${why}`.trim();
			notify(
				notice,
				words,
				tryAgain(() => void tiles.redraw()),
			);
		};
		tiles.on("loading", () => {
			[failed, total, why] = [0, 0, ""];
			report();
		});
		tiles.on("tileloadstart", ({ coords, tile }) => {
			closeSeams(tile, tiles.getTileSize().x);
			if (covers(tiles.of.bbox, boxOfTile(coords))) total += 1;
		});
		tiles.on("tileerror", async ({ tile }) => {
			failed += 1;
			if (failed > 1) return;
			why = (await fetchProblem(/** @type {HTMLImageElement} */ (tile).src, signal))?.message ?? "";
			if (!tiles.isLoading()) report();
		});
		tiles.on("load", report);
		tiles.once("add", report);
	}
}
