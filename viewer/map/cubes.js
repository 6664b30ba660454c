/**
 * The cubes of a side's layer on a map: order of loading, painting, and reading.
 *
 * @typedef {import("../ctc1/leaflet.js").CubeLayer} CubeLayer
 * @typedef {import("../ctc1/painter.js").Progress} Progress
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("./data-pane.js").Task} Task
 */
import { cubeTemplate } from "../base/api.js";
import { makeTable } from "../base/colours.js";
import { until } from "../base/delays.js";
import { atEnd, live } from "../base/live.js";
import {
	ahead,
	dismiss,
	intent,
	isDragged,
	isGapFilled,
	isMoving,
	isPressed,
	noticeOf,
	notify,
	reportLoadedTimes,
	reportTileProgress,
	tryAgain,
} from "../base/state.js";
import { text } from "../base/text.js";
import { makeCubeLayer } from "../ctc1/leaflet.js";
import { CubeLoader } from "../ctc1/loader.js";
import { TILE_PX } from "../ctc1/painter.js";
import { CubeSource } from "../ctc1/source.js";
import { GridLayer } from "../vendor/leaflet.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { CubeReader } from "./cube-reader.js";
import { boxOfTile, covers } from "./extent.js";

/** One for all layers, so that together they keep to its bounds. */
export const loader = new CubeLoader();
window.addEventListener("online", () => loader.retry());
effect(() => loader.hold(isDragged.value));
const RETRY_MS = 10_000;
const TELL_MS = 30;
/** After this time without movement, a date is shown at the resolution of the screen. */
const REST_MS = 300;
/** Items that a notice names. */
const MOST_NAMED = 3;

/** @type {WeakMap<Side, CubeDrawing>} */
const drawings = new WeakMap();

/** Returns the reader of a side's cubes; null if its layer has none. @param {Side} side */
export const cubesOf = (side) => drawings.get(side) ?? null;

/** Whether the browser is set to save data. */
const isFrugal = () => /** @type {any} */ (window.navigator).connection?.saveData === true;

/**
 * @param {import("../ctc1/worker.js").Failure | null} failure the first
 * @param {number} failed
 * @param {number} total
 */
function failureText(failure, failed, total) {
	if (failure?.status === 0) return text("map.offline");
	const said = failure?.message
		? text("error.serverSays", { why: failure.message })
		: text("error.status", { status: failure?.status ?? 0 });
	const why = failure?.isCube ? text("error.unreadable") : failure ? said : "";
	return `${text("map.tilesFailed", { failed, count: total })} ${why}`.trim();
}

export class CubeDrawing extends CubeReader {
	/** Fraction of the visible part that has a value, by date; null if unknown. */
	validShares = signal(/** @type {(number | null)[]} */ ([]));
	/** Counts up with each painting. */
	paintings = signal(0);
	/** Indexes of the dates that the server could not read in some tile. */
	unreadable = signal(/** @type {ReadonlySet<number>} */ (new Set()));
	/** @type {Map<object, number[]>} dates that others need, by who does */
	#needed = new Map();
	#hasColours = signal(false);
	/** Increases when cubes are loaded, discarded or have failed. */
	#changes = signal(0);
	#isComplete = false;
	#retrying = 0;
	#telling = 0;
	/** Whether the finer tiles are shown. */
	#isDetailed = signal(false);
	/** The missing items in the last notice. */
	#leftOut = "";

	/** @param {Task} task */
	constructor({ map, side, pane, of, zooms }) {
		const { instants, periods } = side.timeDomain.peek();
		/** @type {import("../base/state.js").CubesOfTimes} */
		const made = periods?.cubes ?? { times: instants.length > 0 ? instants.map(({ text: time }) => time) : [null] };
		const source = new CubeSource({ template: cubeTemplate(of), loader, revision: of.revision ?? undefined, ...made });
		const options = {
			source,
			tableOf: (/** @type {import("../ctc1/decode.js").Header} */ header) => this.#table(header),
			covers: (/** @type {import("../ctc1/loader.js").Tile} */ tile) => covers(of.bbox, boxOfTile(tile)),
			className: "data-tiles",
			keepBuffer: 0,
			maxNativeZoom: zooms.maxzoom,
			minZoom: zooms.minzoom,
			pane,
		};
		const told = {
			onProgress: (/** @type {Progress} */ progress) => this.#report(progress),
			onPaint: () => this.#tellPainted(),
			onLoad: () => this.#tellSoon(),
		};
		const layer = makeCubeLayer({ GridLayer }, { ...options, ...told });
		super(map, layer, source, of.bbox);
		this.areOfPeriods = side.timeDomain.peek().periods !== undefined;
		this.side = side;
		live(() => this.#followTime());
		live(() => this.#followColours());
		live(() => {
			const [opacity, isDetailed] = [side.opacity.value, this.#isDetailed.value];
			layer.setOpacity(isDetailed ? 0 : opacity);
			if (isDetailed) this.detail?.setOpacity(opacity);
		});
		if (made.areApart !== false) this.#followDetail({ ...options, maxZoom: zooms.maxzoom - 1 });
		drawings.set(side, this);
		atEnd(() => this.#close());
	}

	/** Removes it from the map and stops all requests. */
	#close() {
		window.clearTimeout(this.#retrying);
		window.clearTimeout(this.#telling);
		this.layer.remove();
		this.layer.painter.close();
		if (drawings.get(this.side) === this) drawings.delete(this.side);
		reportLoadedTimes(this.side, new Map());
		dismiss(noticeOf(this.side, "tiles"));
		dismiss(`left out ${this.side.id}`);
	}

	/**
	 * Resolves when these dates are loaded for the whole map, or have failed.
	 * @param {number[]} indexes @param {AbortSignal} stopped @param {(share: number) => void} [onProgress] from 0 to 1
	 * @returns {Promise<void>}
	 */
	async whenLoaded(indexes, stopped, onProgress = () => {}) {
		stopped.throwIfAborted();
		const key = {};
		this.#needed.set(key, indexes);
		this.#askFor();
		await until(() => {
			void this.#changes.value;
			const loaded = this.side.loadedTimes.value;
			const isRefused = (/** @type {number} */ index) =>
				this.#hasColours.value && this.source.isRefused(this.tiles(), Math.max(0, index));
			const done = indexes.filter((index) => loaded.get(index) === "full" || isRefused(index)).length;
			onProgress(indexes.length === 0 ? 1 : done / indexes.length);
			return done === indexes.length;
		}, stopped);
		this.#needed.delete(key);
		this.#askFor();
		stopped.throwIfAborted();
	}

	#askFor() {
		this.layer.painter.set({ also: [...new Set([...this.#needed.values()].flat())] });
	}

	#followTime() {
		// Before there are colours there are no tiles, and no tiles are not all tiles.
		if (!this.#hasColours.value) return;
		const { timeIndex, tileProgress } = this.side;
		const index = Math.max(0, timeIndex.value);
		// The index may already be of the next dates, shortly before this drawing is removed.
		if (index >= this.source.times.length) return;
		if (index !== this.layer.painter.shown) reportTileProgress(this.side, { ...tileProgress.peek(), phase: "loading" });
		this.layer.painter.set({
			index,
			isMoving: isMoving.value,
			isDragged: isPressed.value,
			ahead: ahead.value,
			isEngaged: intent.value > 0,
			isFilled: isGapFilled.value,
			isFrugal: isFrugal(),
		});
	}

	/** Puts the layer on the map when it has colours. */
	#followColours() {
		const legend = this.side.legend.value;
		void this.side.colouring.value;
		if (!legend) return;
		this.#hasColours.value = true;
		if (!this.map.hasLayer(this.layer)) this.layer.addTo(this.map);
		else this.layer.painter.recolour();
	}

	/**
	 * Shows finer tiles of the date on high-resolution screens, while nothing moves.
	 * @param {import("../ctc1/leaflet.js").CubeOptions & import("leaflet").GridLayerOptions} options
	 */
	#followDetail(options) {
		const { side, map } = this;
		const isWanted = computed(
			() =>
				window.devicePixelRatio >= 2 &&
				!isFrugal() &&
				!isMoving.value &&
				!isGapFilled.value &&
				side.tileProgress.value.phase === "shown",
		);
		const show = (/** @type {number} */ index) => {
			const onProgress = (/** @type {Progress} */ { total, loaded }) => {
				this.detail = loaded > 0 && loaded === total ? detail : null;
				this.#isDetailed.value = this.detail !== null;
			};
			const how = { tileSize: TILE_PX / 2, zoomOffset: 1, opacity: 0, onProgress };
			const detail = makeCubeLayer({ GridLayer }, { ...options, ...how });
			detail.painter.set({ index });
			return detail.addTo(map);
		};
		live(() => {
			const index = Math.max(0, side.timeIndex.value);
			void [side.legend.value, side.colouring.value];
			if (!isWanted.value) return;
			/** @type {CubeLayer | null} */
			let detail = null;
			const waiting = window.setTimeout(() => {
				detail = show(index);
			}, REST_MS);
			return () => {
				window.clearTimeout(waiting);
				this.#isDetailed.value = false;
				this.detail = null;
				detail?.remove();
				detail?.painter.close();
			};
		});
	}

	/** @param {import("../ctc1/decode.js").Header} header */
	#table(header) {
		const legend = /** @type {import("../base/api.js").Legend} */ (this.side.legend.peek() ?? this.#lastLegend);
		this.#lastLegend = legend;
		return makeTable(legend, this.side.colouring.peek(), header);
	}

	/** @type {import("../base/api.js").Legend | null} */
	#lastLegend = null;

	#tellPainted() {
		if (!isMoving.peek()) this.#tellSoon();
		this.paintings.value += 1;
	}

	/** Updates the state once for several changes. */
	#tellSoon() {
		this.#telling ||= window.setTimeout(() => {
			this.#telling = 0;
			this.#tellLoaded();
		}, TELL_MS);
	}

	#tellLoaded() {
		const { loadedTimes, timeIndex } = this.side;
		this.#changes.value += 1;
		const index = Math.max(0, timeIndex.peek());
		const now = this.source.loaded(this.tiles(), index);
		const shares = this.shares(index);
		if (shares.some((share, at) => share !== this.validShares.peek()[at])) this.validShares.value = shares;
		const unreadable = this.unreadableDates();
		if ([...unreadable].join() !== [...this.unreadable.peek()].join()) this.unreadable.value = unreadable;
		this.#tellLeftOut(index);
		const before = loadedTimes.peek();
		const isSame = now.size === before.size && [...now].every(([index, how]) => before.get(index) === how);
		if (isSame) return;
		reportLoadedTimes(this.side, now);
	}

	/** Shows which items the date lacks; only once for the same ones. @param {number} index */
	#tellLeftOut(index) {
		const items = this.leftOut(index);
		if (items.join() === this.#leftOut) return;
		this.#leftOut = items.join();
		const notice = `left out ${this.side.id}`;
		if (items.length === 0) return dismiss(notice);
		const names = [...items.slice(0, MOST_NAMED), ...(items.length > MOST_NAMED ? ["…"] : [])].join(", ");
		const again = tryAgain(() => loader.renew(this.incompleteUrls()));
		notify(notice, text("map.leftOut", { count: items.length, names }), again);
	}

	/** Writes the progress of the date to the state, and shows failures. @param {Progress} progress */
	#report({ total, loaded, failed, failure, isPreview, shown }) {
		const { timeIndex } = this.side;
		window.clearTimeout(this.#retrying);
		if (!isMoving.peek()) this.#tellSoon();
		const isShown = shown === Math.max(0, timeIndex.peek());
		const isWhole = isShown && (loaded + failed === total || (isPreview && isMoving.peek()));
		this.#isComplete ||= isWhole;
		reportTileProgress(this.side, {
			phase: isWhole ? "shown" : isShown && this.#isComplete ? "filling" : "loading",
			failed,
			total,
		});
		const notice = noticeOf(this.side, "tiles");
		if (failed === 0) return dismiss(notice);
		notify(
			notice,
			failureText(failure, failed, total),
			tryAgain(() => loader.retry()),
		);
		// The network may return without an event.
		if (failure?.status === 0) this.#retrying = window.setTimeout(() => loader.retry(), RETRY_MS);
	}
}
