/**
 * The map: base map, the pictures of the layer, outlines, the chosen place. The only module that knows Leaflet.
 *
 * @typedef {import("./api.js").Layer} Layer
 * @typedef {import("./basemap.js").Lines} Lines
 * @typedef {import("./basemap.js").TileCoords} TileCoords
 * @typedef {import("./permalink.js").BBox} BBox
 * @typedef {(canvas: CanvasRenderingContext2D, coords: TileCoords, tileSize: number) => void} PaintTile
 */
import { fetchOwn, fetchTileJson, fetchTileProblem, tileTemplate } from "./api.js";
import { decodeLines, LAND_COLOURS, paintLand, paintOutlines } from "./basemap.js";
import { toPlace, wrapLon } from "./permalink.js";
import {
	background,
	choosePoint,
	destination,
	dismiss,
	instant,
	layer,
	notify,
	opacity,
	overlay,
	point,
	style,
	tileProgress,
	timeDomain,
	view,
	zoomToLayer,
} from "./state.js";
import { text } from "./text.js";
import { CircleMarker, Control, GridLayer, LatLngBounds, Map as LeafletMap, TileLayer } from "./vendor/leaflet.js";
import { effect } from "./vendor/signals-core.js";

const MAX_ZOOM = 18;
/** A click waits this long for a second one, which zooms. */
const CLICK_WAIT_MS = 220;
/** Dates that change faster than this are not asked for. */
const SCRUB_WAIT_MS = 80;

/** A box that crosses 180 degrees goes on beyond it. @param {BBox} bbox */
const toBounds = ([west, south, east, north]) =>
	new LatLngBounds([south, west], [north, east > west ? east : east + 360]);

/** Tiles that the browser paints. */
class PaintedLayer extends GridLayer {
	/** @param {string} pane @param {PaintTile} paint */
	constructor(pane, paint) {
		super({ pane, updateWhenZooming: false });
		this.paint = paint;
	}

	/** @param {TileCoords} coords */
	createTile(coords) {
		const canvas = document.createElement("canvas");
		const { x: tileSize } = this.getTileSize();
		const ratio = Math.min(2, window.devicePixelRatio || 1);
		canvas.width = canvas.height = tileSize * ratio;
		const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
		context.scale(ratio, ratio);
		this.paint(context, coords, tileSize);
		return canvas;
	}
}

/** @param {HTMLElement} element */
export function startMap(element) {
	const map = new LeafletMap(element, {
		attributionControl: false,
		fadeAnimation: false,
		maxZoom: MAX_ZOOM,
		minZoom: 1,
		worldCopyJump: true,
		center: [0, 0],
		zoom: 2,
		zoomAnimation: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
	});
	map.addControl(new Control.Scale({ imperial: false, position: "bottomright" }));
	map.createPane("land").style.zIndex = "150";
	map.createPane("outlines").style.zIndex = "350";
	followDestination(map);
	followClicks(map);
	showPoint(map);
	showLayer(map);
	void showBaseMap(map);
	return map;
}

/**
 * Goes where the state says, and stays there while the frame of the map changes its size: what a link asked for is what
 * the next link says. A box is fitted anew only until the first pictures are there, while the page still takes its
 * form; after that a change of size never zooms.
 * @param {LeafletMap} map
 */
function followDestination(map) {
	/** Where the map is meant to be: where it was sent, or where the user has moved it. */
	let held = destination.peek();
	let [isSent, isMoving] = [false, false];
	const go = () => {
		if (!held) return;
		isSent = true;
		if (held.view) map.setView([held.view.lat, held.view.lon], held.view.zoom, { animate: false });
		else if (held.bbox) map.fitBounds(toBounds(held.bbox), { animate: false });
		[isSent, isMoving] = [false, false];
		report();
	};
	const report = () => {
		if (!held || isSent) return;
		const place = held.view ?? placeOf(map);
		view.value = { ...place, bbox: bboxAround(map, place) };
	};
	map.on("movestart", () => {
		isMoving = !isSent;
	});
	map.on("moveend", () => {
		if (isSent) return;
		isMoving = false;
		if (!held) return;
		held = { view: placeOf(map) };
		report();
	});
	effect(() => {
		held = destination.value;
		go();
	});
	effect(() => {
		if (tileProgress.value.phase === "shown" && held?.bbox) held = { view: placeOf(map) };
	});
	const resize = () => {
		isSent = true;
		map.invalidateSize({ animate: false, pan: false });
		isSent = false;
		// Where the user is moving it, the end of the movement tells.
		if (!isMoving) go();
	};
	new ResizeObserver(() => keepInSight(map, resize)).observe(map.getContainer());
}

/** Changes the map's size; a chosen place that was in sight stays so. @param {LeafletMap} map @param {() => void} resize */
function keepInSight(map, resize) {
	const place = point.peek();
	const at = place && { lat: place.lat, lng: place.lon };
	const wasSeen = at && map.getBounds().contains(at);
	resize();
	if (!wasSeen) return;
	map.panInside(at, { animate: false, padding: [40, 40] });
	const { x, y } = map.latLngToContainerPoint(at);
	const frame = map.getContainer().getBoundingClientRect();
	const over = document.elementFromPoint(frame.x + x, frame.y + y)?.closest(".legend");
	if (over) map.panBy([frame.x + x - over.getBoundingClientRect().right - 40, 0], { animate: false });
}

/** @param {LeafletMap} map */
const placeOf = (map) => ({ ...centreOf(map), zoom: map.getZoom() });

/**
 * What the map shows around a place that it was sent to; the map itself is off by part of a pixel.
 * @param {LeafletMap} map @param {import("./permalink.js").View} place @returns {BBox}
 */
function bboxAround(map, { lon, lat, zoom }) {
	const half = map.getSize().divideBy(2);
	const centre = map.project([lat, lon], zoom);
	const [northWest, southEast] = [centre.subtract(half), centre.add(half)].map((corner) => map.unproject(corner, zoom));
	const isWorld = southEast.lng - northWest.lng >= 360;
	const [west, east] = isWorld ? [-180, 180] : [wrapLon(northWest.lng), wrapLon(southEast.lng)];
	return [west, Math.max(-90, southEast.lat), east, Math.min(90, northWest.lat)];
}

/** @param {LeafletMap} map */
function followClicks(map) {
	let waiting = 0;
	const stop = () => window.clearTimeout(waiting);
	map.on("click", ({ latlng }) => {
		stop();
		waiting = window.setTimeout(() => choosePoint(toPlace(latlng)), CLICK_WAIT_MS);
	});
	map.on("dblclick", stop);
	const container = map.getContainer();
	container.addEventListener("keydown", (event) => {
		if (event.key !== "Enter" || event.target !== container) return;
		event.preventDefault();
		choosePoint(centreOf(map));
	});
	// The style sheet marks the centre for those who use the keyboard: `:focus-visible` is true after some clicks too.
	container.addEventListener("keyup", () => {
		container.dataset.keyboard = "";
	});
	container.addEventListener("pointerdown", () => delete container.dataset.keyboard);
}

/** @param {LeafletMap} map */
export const centreOf = (map) => toPlace(map.getCenter());

/** @param {LeafletMap} map */
function showPoint(map) {
	const ring = { fill: false, interactive: false, radius: 8 };
	const halo = new CircleMarker([0, 0], { ...ring, color: "#fff", weight: 6, opacity: 0.9 });
	const mark = new CircleMarker([0, 0], { ...ring, color: "#10242b", weight: 2.5 });
	effect(() => {
		for (const circle of [halo, mark]) {
			if (point.value) circle.setLatLng([point.value.lat, point.value.lon]).addTo(map);
			else circle.remove();
		}
	});
}

/** @param {LeafletMap} map */
async function showBaseMap(map) {
	const { signal } = new AbortController();
	const container = map.getContainer();
	effect(() => {
		container.dataset.background = background.value;
		// The legend beside the map shows colours over the same ground.
		container.parentElement?.style.setProperty("--ground", LAND_COLOURS[background.value] ?? "#ffffff");
	});
	try {
		const [land, borders] = await Promise.all(
			["vendor/land.json", "vendor/borders.json"].map(async (path) => decodeLines(await fetchOwn(path, signal))),
		);
		paintBackground(map, land);
		paintOverlay(map, [land, borders]);
	} catch {
		notify("base map", text.baseMapFailed);
	}
}

/** @param {LeafletMap} map @param {Lines} land */
function paintBackground(map, land) {
	const painted = new PaintedLayer("land", (canvas, coords, tileSize) =>
		paintLand(canvas, land, coords, tileSize, LAND_COLOURS[background.peek()]),
	);
	effect(() => {
		if (LAND_COLOURS[background.value]) painted.addTo(map).redraw();
		else painted.remove();
	});
}

/** @param {LeafletMap} map @param {Lines[]} outlines */
function paintOverlay(map, outlines) {
	const painted = new PaintedLayer("outlines", (canvas, coords, tileSize) => {
		for (const lines of outlines) paintOutlines(canvas, lines, coords, tileSize);
	});
	effect(() => {
		if (overlay.value) painted.addTo(map);
		else painted.remove();
	});
}

/**
 * The pictures on the map. Those of another date are loaded unseen and replace the old ones when they are complete, so
 * that the map does not flicker; those of another layer replace them at once.
 */
class Pictures {
	/** @param {LeafletMap} map */
	constructor(map) {
		this.map = map;
		/** @type {{ tiles: TileLayer, of: Layer } | null} */
		this.shown = null;
		/** @type {TileLayer | null} */
		this.coming = null;
	}

	/** Takes away what is still loading, and what is shown of another layer. @param {Layer | null} of */
	clear(of) {
		this.coming?.remove();
		this.coming = null;
		if (this.shown?.of === of) return;
		this.shown?.tiles.remove();
		this.shown = null;
	}

	/** @param {TileLayer} tiles @param {Layer} of */
	load(tiles, of) {
		this.coming = tiles;
		tiles.once("load", () => this.show(tiles, of));
		tiles.addTo(this.map);
		// Nothing to load: the layer is elsewhere.
		if (!tiles.isLoading()) this.show(tiles, of);
	}

	/** @param {TileLayer} tiles @param {Layer} of */
	show(tiles, of) {
		if (tiles !== this.coming) return;
		this.coming = null;
		this.shown?.tiles.remove();
		this.shown = { tiles, of };
		tiles.setOpacity(opacity.peek());
		this.advise();
	}

	/** Says where the layer is when the map shows none of it. */
	advise() {
		if (!this.shown || !view.peek()) return;
		const { tiles, of } = this.shown;
		const bounds = this.map.getBounds();
		const extent = toBounds(of.bbox);
		const isSeen = [-360, 0, 360].some((turn) =>
			bounds.intersects([
				[extent.getSouth(), extent.getWest() + turn],
				[extent.getNorth(), extent.getEast() + turn],
			]),
		);
		const go = { label: text.zoomToLayer, run: () => zoomToLayer() };
		if (!isSeen) notify("view", text.outsideView(of.title), go);
		else if (this.map.getZoom() < (tiles.options.minZoom ?? 0)) notify("view", text.tooFarOut(of.title), go);
		else dismiss("view");
	}
}

/** @param {LeafletMap} map */
function showLayer(map) {
	const pictures = new Pictures(map);
	effect(() => {
		const now = layer.value;
		const [chosen, when, phase] = [style.value, instant.value, timeDomain.value.phase];
		pictures.clear(now);
		if (!now || phase !== "ready") return;
		tileProgress.value = { ...tileProgress.peek(), phase: "loading" };
		const stopping = new AbortController();
		const load = async () => {
			const datetime = when?.text ?? null;
			const zooms = await zoomRange(now, chosen, datetime, stopping.signal);
			if (stopping.signal.aborted) return;
			if (!zooms) {
				tileProgress.value = { ...tileProgress.peek(), phase: "shown" };
				return;
			}
			const tiles = makeTiles(now, tileTemplate(now, chosen, datetime), zooms);
			watchTiles(tiles, stopping.signal);
			pictures.load(tiles, now);
		};
		const waiting = window.setTimeout(load, pictures.shown ? SCRUB_WAIT_MS : 0);
		return () => {
			window.clearTimeout(waiting);
			stopping.abort();
		};
	});
	effect(() => {
		const wanted = opacity.value;
		pictures.shown?.tiles.setOpacity(wanted);
	});
	effect(() => {
		if (view.value) pictures.advise();
	});
}

/** @type {WeakMap<Layer, { minzoom: number, maxzoom: number }>} */
const zoomRanges = new WeakMap();

/** Zoom levels at which the layer has pictures; null, and a notice, when the server does not say. @param {Layer} of @param {string} chosen @param {string | null} datetime @param {AbortSignal} signal */
async function zoomRange(of, chosen, datetime, signal) {
	const known = zoomRanges.get(of);
	if (known) return known;
	try {
		const { minzoom, maxzoom } = await fetchTileJson(of, chosen, datetime, signal);
		zoomRanges.set(of, { minzoom, maxzoom });
		dismiss("tiles");
		return { minzoom, maxzoom };
	} catch (error) {
		if (!signal.aborted) notify("tiles", text.layerFailed(of.title, /** @type {Error} */ (error).message));
		return null;
	}
}

/** @param {Layer} of @param {string} template @param {{ minzoom: number, maxzoom: number }} zooms */
const makeTiles = (of, template, { minzoom, maxzoom }) =>
	new TileLayer(template, {
		bounds: toBounds(of.bbox),
		className: "data-tiles",
		maxNativeZoom: maxzoom,
		maxZoom: MAX_ZOOM,
		minZoom: minzoom,
		opacity: 0,
	});

/** Tells the state how far the pictures have come, and the user why some did not. @param {TileLayer} tiles @param {AbortSignal} signal */
function watchTiles(tiles, signal) {
	let [failed, total, why, isComplete] = [0, 0, "", false];
	const report = () => {
		if (signal.aborted) return;
		isComplete ||= !tiles.isLoading();
		tileProgress.value = { phase: !isComplete ? "loading" : tiles.isLoading() ? "filling" : "shown", failed, total };
		if (failed === 0) return dismiss("tiles");
		const retry = { label: text.tryAgain, run: () => void tiles.redraw() };
		notify("tiles", `${text.tilesFailed(failed, total)} ${why}`.trim(), retry);
	};
	tiles.on("loading", () => {
		[failed, total, why] = [0, 0, ""];
		report();
	});
	tiles.on("tileloadstart", () => {
		total += 1;
	});
	tiles.on("tileerror", async ({ tile }) => {
		failed += 1;
		if (failed > 1) return;
		why = (await fetchTileProblem(/** @type {HTMLImageElement} */ (tile).src, signal)) ?? "";
		if (!tiles.isLoading()) report();
	});
	tiles.on("load", report);
	tiles.once("add", report);
}
