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
import { decodeLines, paintLand, paintOutlines } from "./basemap.js";
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

/** Colours of land for the backgrounds that have it; that of the sea is the style sheet's. @type {Record<string, string>} */
const LAND_COLOURS = { NaturalEarth: "#f3f1ea", NaturalEarth_Dark: "#2b343b" };

/** @param {number} lon */
const wrapLon = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;

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
	keepSize(map);
	followDestination(map);
	followClicks(map);
	showPoint(map);
	showLayer(map);
	void showBaseMap(map);
	return map;
}

/** Fits the map to its frame; the chosen place stays in sight when the chart takes room from it. @param {LeafletMap} map */
function keepSize(map) {
	const resized = () => {
		const before = map.getSize().y;
		map.invalidateSize({ pan: false });
		const place = point.peek();
		if (place && map.getSize().y < before) map.panInside([place.lat, place.lon], { padding: [40, 40] });
	};
	new ResizeObserver(resized).observe(map.getContainer());
}

/** @param {LeafletMap} map */
function followDestination(map) {
	let isPlaced = false;
	const report = () => {
		if (!isPlaced) return;
		const { lat, lng } = map.getCenter();
		const bounds = map.getBounds();
		const isWorld = bounds.getEast() - bounds.getWest() >= 360;
		const [west, east] = isWorld ? [-180, 180] : [wrapLon(bounds.getWest()), wrapLon(bounds.getEast())];
		const south = Math.max(-90, bounds.getSouth());
		const north = Math.min(90, bounds.getNorth());
		view.value = { lon: wrapLon(lng), lat, zoom: map.getZoom(), bbox: [west, south, east, north] };
	};
	map.on("moveend", report);
	effect(() => {
		if (!destination.value) return;
		isPlaced = true;
		const { view: place, bbox } = destination.value;
		if (place) map.setView([place.lat, place.lon], place.zoom, { animate: false });
		else if (bbox) map.fitBounds(toBounds(bbox), { animate: false });
		report();
	});
}

/** @param {LeafletMap} map */
function followClicks(map) {
	let waiting = 0;
	const stop = () => window.clearTimeout(waiting);
	map.on("click", ({ latlng }) => {
		stop();
		const { lat, lng } = latlng;
		waiting = window.setTimeout(() => choosePoint({ lon: wrapLon(lng), lat }), CLICK_WAIT_MS);
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
export function centreOf(map) {
	const { lat, lng } = map.getCenter();
	return { lon: wrapLon(lng), lat };
}

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
	effect(() => {
		map.getContainer().dataset.background = background.value;
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
 * Keeps the pictures of the layer on the map. Those of another date are loaded unseen and replace the old ones when
 * they are complete, so that the map does not flicker; those of another layer replace them at once.
 * @param {LeafletMap} map
 */
function showLayer(map) {
	/** @type {{ tiles: TileLayer, layerId: string } | null} */
	let shown = null;
	/** @type {TileLayer | null} */
	let coming = null;
	let waiting = 0;

	/** @param {TileLayer} tiles @param {string} layerId */
	const replace = (tiles, layerId) => {
		shown?.tiles.remove();
		shown = { tiles, layerId };
		coming = null;
		tiles.setOpacity(opacity.peek());
		if (layer.peek()?.id === layerId) adviseOn(map, /** @type {Layer} */ (layer.peek()), tiles);
	};
	const clear = () => {
		window.clearTimeout(waiting);
		coming?.remove();
		coming = null;
	};

	effect(() => {
		const wanted = opacity.value;
		shown?.tiles.setOpacity(wanted);
	});
	effect(() => {
		const now = layer.value;
		const [chosen, when, phase] = [style.value, instant.value, timeDomain.value.phase];
		clear();
		if (!now) return;
		if (shown && shown.layerId !== now.id) {
			shown.tiles.remove();
			shown = null;
		}
		if (phase !== "ready") return;
		const stopping = new AbortController();
		waiting = window.setTimeout(
			async () => {
				const zooms = await zoomRange(now, chosen, stopping.signal);
				if (!zooms || stopping.signal.aborted) return;
				const tiles = makeTiles(now, tileTemplate(now, chosen, when?.text ?? null), zooms);
				watchTiles(tiles, stopping.signal);
				coming = tiles;
				tiles.once("load", () => tiles === coming && replace(tiles, now.id));
				tiles.addTo(map);
				// Nothing to load: the layer is elsewhere.
				if (!tiles.isLoading()) replace(tiles, now.id);
			},
			shown ? SCRUB_WAIT_MS : 0,
		);
		return () => stopping.abort();
	});
	effect(() => {
		if (layer.value && view.value) adviseOn(map, layer.value, shown?.tiles ?? coming);
	});
}

/** @type {WeakMap<Layer, { minzoom: number, maxzoom: number }>} */
const zoomRanges = new WeakMap();

/** Zoom levels at which the layer has pictures; null, and a notice, when the server does not say. @param {Layer} of @param {string} chosen @param {AbortSignal} signal */
async function zoomRange(of, chosen, signal) {
	const known = zoomRanges.get(of);
	if (known) return known;
	try {
		const { minzoom, maxzoom } = await fetchTileJson(of, chosen, signal);
		zoomRanges.set(of, { minzoom, maxzoom });
		dismiss("tiles");
		return { minzoom, maxzoom };
	} catch (error) {
		if (!signal.aborted) notify("tiles", `${text.layerFailed(of.title)} ${/** @type {Error} */ (error).message}`);
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

/** Tells the state how far the pictures have come, and why some did not. @param {TileLayer} tiles @param {AbortSignal} signal */
function watchTiles(tiles, signal) {
	let [failed, total, why] = [0, 0, ""];
	tileProgress.value = { phase: "shown", failed, total, why };
	tiles.on("loading", () => {
		[failed, total, why] = [0, 0, ""];
		tileProgress.value = { phase: "loading", failed, total, why };
		dismiss("tiles");
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
	const report = () => {
		if (signal.aborted) return;
		tileProgress.value = { phase: "shown", failed, total, why };
		if (failed > 0) {
			const retry = { label: text.tryAgain, run: () => void tiles.redraw() };
			notify("tiles", `${text.tilesFailed(failed, total)} ${why}`.trim(), retry);
		}
	};
	tiles.on("load", report);
}

/** Says where the layer is when the map shows none of it. @param {LeafletMap} map @param {Layer} of @param {TileLayer | null} tiles */
function adviseOn(map, of, tiles) {
	const bounds = map.getBounds();
	const isSeen = [-360, 0, 360].some((turn) => {
		const [west, south, east, north] = of.bbox;
		const beyond = east > west ? east : east + 360;
		return bounds.intersects([
			[south, west + turn],
			[north, beyond + turn],
		]);
	});
	const go = { label: text.zoomToLayer, run: () => zoomToLayer() };
	if (!isSeen) notify("view", text.outsideView(of.title), go);
	else if (tiles?.options.minZoom && map.getZoom() < tiles.options.minZoom) {
		notify("view", text.tooFarOut(of.title), go);
	} else dismiss("view");
}
