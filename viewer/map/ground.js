/**
 * Base map and overlays of the data: land, and borders and coasts.
 *
 * @typedef {import("./basemap.js").Lines} Lines
 * @typedef {import("./basemap.js").TileCoords} TileCoords
 * @typedef {import("../vendor/leaflet.js").Map} LeafletMap
 * @typedef {(canvas: CanvasRenderingContext2D, coords: TileCoords, tileSize: number) => void} PaintTile
 */
import { fetchData, once } from "../base/api.js";
import { until } from "../base/delays.js";
import { atEnd, live } from "../base/live.js";
import { bringPart, isFirstViewOver } from "../base/parts.js";
import {
	BACKGROUNDS,
	background,
	catalogue,
	dismiss,
	isDark,
	layer,
	layers,
	notify,
	overlay,
	overlayMaps,
	ownLand,
	shownOverlays,
	tryAgain,
} from "../base/state.js";
import { text } from "../base/text.js";
import { closeSeams } from "../ctc1/leaflet.js";
import { GridLayer, LayerGroup } from "../vendor/leaflet.js";
import { batch, computed, effect, signal } from "../vendor/signals-core.js";
import { decodeLines, LAND_COLOURS, paintLand, paintOutlines } from "./basemap.js";

/** Beyond this zoom the lines of the world are straight: finer ones are loaded, by tiles of another zoom. */
const WORLD_ZOOM = 9;
const CELL_ZOOM = 4;
/** Beyond this one the finer ones are straight too. */
const LINES_ZOOM = 12;
/** Tiles that the browser paints. */
export class PaintedLayer extends GridLayer {
	/**
	 * @param {import("leaflet").GridLayerOptions} options
	 * @param {(canvas: HTMLCanvasElement, coords: TileCoords) => void} paintTile
	 */
	constructor(options, paintTile) {
		super({ updateWhenZooming: false, ...options });
		this.paintTile = paintTile;
	}

	/** @param {TileCoords} coords */
	createTile(coords) {
		const canvas = document.createElement("canvas");
		this.paintTile(canvas, coords);
		return canvas;
	}

	/** Paints all tiles again without removing them, so that there is no frame without them. */
	repaint() {
		const { _tiles, _wrapCoords } = /** @type {any} */ (this);
		for (const { el, coords } of Object.values(_tiles)) this.paintTile(el, _wrapCoords.call(this, coords));
	}
}

/** Lines of a file, loaded once. @param {string} name @returns {() => Promise<Lines>} */
const linesOf = (name) => once(async () => decodeLines(await fetchData(`${name}.json`)));

const [fetchLand, fetchBorders, fetchCoarseLand] = ["land", "borders", "land-coarse"].map(linesOf);

/** Loads land and borders in full resolution. @returns {Promise<[land: Lines, borders: Lines]>} */
export const fetchLines = () => Promise.all([fetchLand(), fetchBorders()]);

/** The drawn land: coarse until the first view is complete. */
const land = signal(/** @type {Lines | null} */ (null));
/** Coasts and borders, drawn when they are fine. */
const outlines = signal(/** @type {Lines[]} */ ([]));

/**
 * The finer land and borders of each tile of the cells' zoom; null while they are loading.
 * @type {Map<string, [land: Lines, borders: Lines] | null>}
 */
const cells = new Map();
/** Counts loaded cells. */
const cellsSeen = signal(0);

/** @param {string} cell */
async function loadCell(cell) {
	try {
		const { size, land, borders } = await fetchData(`ground/${cell}.json`);
		const cut = size / 2 ** CELL_ZOOM;
		cells.set(cell, [decodeLines({ size, lines: land, cut }), decodeLines({ size, lines: borders, cut })]);
		cellsSeen.value += 1;
	} catch {
		cells.delete(cell); // requested again when the map moves
	}
}

/**
 * Returns land and lines in the resolution of a tile; no lines while those are loading.
 * @param {TileCoords} tile
 * @param {Lines | null} world
 * @param {Lines[]} lines of the world
 * @returns {{ land: Lines | null, lines: Lines[] }}
 */
export function linesAt({ x, y, z }, world, lines) {
	if (z <= WORLD_ZOOM) return { land: world, lines };
	const [column, row] = [x, y].map((each) => Math.floor(each / 2 ** (z - CELL_ZOOM)));
	const cell = `${((column % 2 ** CELL_ZOOM) + 2 ** CELL_ZOOM) % 2 ** CELL_ZOOM}_${row}`;
	const fine = cells.get(cell);
	if (fine) return { land: fine[0], lines: z > LINES_ZOOM ? [] : fine };
	if (fine === undefined && outlines.peek().length > 0) {
		cells.set(cell, null);
		void loadCell(cell);
	}
	return { land: world, lines: [] };
}

/**
 * Loads land and borders for all maps: coarse lines after the first requests, and all of them after the first view.
 */
async function loadLines() {
	// After the requests of the picture: browsers have few connections to a server.
	const isNone = () => catalogue.value.phase !== "loading" && layers.value.length === 0;
	await until(() => layer.value !== null || isNone() || isFirstViewOver.value);
	const coarse = fetchCoarseLand().then(
		(lines) => {
			land.value ??= lines;
		},
		// The fine land is loaded nevertheless.
		() => {},
	);
	await Promise.all([coarse, until(() => isFirstViewOver.value)]);
	await loadFineLines();
}

async function loadFineLines() {
	try {
		const fineLines = await fetchLines();
		dismiss("ground");
		batch(() => {
			[land.value] = fineLines;
			outlines.value = fineLines;
		});
	} catch {
		const retry = tryAgain(() => void bringPart("ground", loadFineLines));
		notify("ground", text("map.baseMapFailed"), retry);
	}
}

const startLines = once(() => bringPart("ground", loadLines));

/**
 * Shows the chosen background below a map, and borders and coasts above its data, until the surrounding scope ends.
 * @param {LeafletMap} map
 */
export function showGround(map) {
	const container = map.getContainer();
	live(() => {
		container.dataset.background = ground.value;
		// The legend shows colours over the same ground.
		document.documentElement.style.setProperty("--ground", LAND_COLOURS[ground.value] ?? "#ffffff");
	});
	live(() => showBaseMap(map));
	paintOn(map, "land", paintGround, () => land.value !== null && LAND_COLOURS[ground.value] !== undefined);
	paintOn(map, "outlines", paintLines, () => outlines.value.length > 0 && overlay.value);
	live(() => showOverlays(map));
	void startLines();
}

/** Returns the chosen base map of the configuration, if any. */
const chosen = () => BACKGROUNDS.value.find(({ id }) => id === background.value)?.baseMap;

/** The configured base map with loaded tiles, and the one whose tiles all failed; by id. */
const seen = signal("");
const dead = signal("");

/** The drawn background: built-in land until a chosen base map has tiles, and if it has none. */
const ground = computed(() => {
	void isDark.value;
	return chosen() && seen.value !== background.value ? ownLand() : background.value;
});

/** Lays tiles of a base map of the configuration under a map. @param {LeafletMap} map */
function showBaseMap(map) {
	const now = chosen();
	if (!now) return;
	const { id, title } = now;
	let [hasTiles, hasFaults] = [false, false];
	addMap(map, now, "land", (isFault) => {
		batch(() => {
			hasTiles ||= !isFault;
			hasFaults ||= isFault;
			if (hasTiles) seen.value = id;
			dead.value = hasFaults && !hasTiles ? id : "";
		});
		if (hasFaults) notify("base map", text(hasTiles ? "map.baseMapInPart" : "map.baseMapReplaced", { title }));
	});
	atEnd(() => dismiss("base map"));
}

/**
 * Adds a configured map to a pane.
 * @param {LeafletMap} map
 * @param {import("../base/api.js").BaseMap} of
 * @param {string} pane
 * @param {(isFault: boolean) => void} tell is called for the first tile, and for the first failure
 */
function addMap(map, of, pane, tell) {
	const dark = isDark.value;
	const group = new LayerGroup().addTo(map);
	import("./base-maps.js")
		.then(({ makeMapLayers }) => makeMapLayers(of, pane, dark))
		.then((layers) => {
			for (const layer of layers) {
				layer.once("tileload", () => tell(false));
				layer.once("tileerror", () => tell(true));
				group.addLayer(layer);
			}
		})
		.catch(() => tell(true));
	atEnd(() => group.remove());
}

/** Lays the maps that are chosen over the data. @param {LeafletMap} map */
function showOverlays(map) {
	for (const each of shownMaps()) {
		addMap(map, each, "overlays", (isFault) => {
			if (isFault) notify(`overlay ${each.id}`, text("map.baseMapInPart", { title: each.title }));
		});
	}
}

const shownMaps = () => overlayMaps.value.filter(({ id }) => shownOverlays.value.includes(id));

/** Shows the attribution of the background and of the overlays. @param {HTMLElement} element */
export function creditGround(element) {
	effect(() => {
		const now = chosen();
		const isOurs = (!now && background.value !== "None") || dead.value === background.value || overlay.value;
		const above = shownMaps().map(({ attribution }) => attribution);
		element.textContent = [dead.value === now?.id ? null : now?.attribution, ...above, isOurs && text("map.credit")]
			.filter(Boolean)
			.join(" · ");
	});
}

/** @type {PaintTile} */
function paintGround(canvas, coords, tileSize) {
	const lines = linesAt(coords, land.peek(), []).land;
	if (lines) paintLand(canvas, lines, coords, tileSize, LAND_COLOURS[ground.peek()]);
}

/** @type {PaintTile} */
function paintLines(canvas, coords, tileSize) {
	for (const each of linesAt(coords, null, outlines.peek()).lines) paintOutlines(canvas, each, coords, tileSize);
}

/**
 * Paints a layer, again after each change, or removes it.
 * @param {LeafletMap} map
 * @param {string} pane
 * @param {PaintTile} paint
 * @param {() => boolean} isShown
 */
function paintOn(map, pane, paint, isShown) {
	const painted = new PaintedLayer({ pane }, (canvas, coords) => {
		const { x: tileSize } = painted.getTileSize();
		const ratio = Math.min(2, window.devicePixelRatio || 1);
		canvas.width = canvas.height = tileSize * ratio;
		const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
		context.scale(ratio, ratio);
		paint(context, coords, tileSize);
	});
	painted.on("tileloadstart", ({ tile }) => closeSeams(tile, painted.getTileSize().x));
	live(() => {
		void cellsSeen.value;
		if (!isShown()) painted.remove();
		else if (map.hasLayer(painted)) painted.repaint();
		else painted.addTo(map);
	});
}
