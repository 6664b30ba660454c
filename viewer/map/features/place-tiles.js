/**
 * The places of a set as vector tiles, each in the colour of its value at the date of the map. If the date or a colour
 * changes, loaded tiles are painted again without requests.
 *
 * @typedef {import("../../areas/place-sets.js").PlaceSet} PlaceSet
 * @typedef {import("../../areas/formats/mvt.js").TileFeature} TileFeature
 * @typedef {import("../../base/colours.js").ColourOf} ColourOf
 * @typedef {import("../../base/permalink.js").Point} Point
 * @typedef {import("../../vendor/leaflet.js").Map} LeafletMap
 * @typedef {{ feature: TileFeature, path: Path2D, isSmall: boolean }} Outline in pixels of the tile's canvas
 * @typedef {{ canvas: HTMLCanvasElement, outlines: Outline[], stopping: AbortController }} Tile
 */

import { placeStyle, placesKey, startPlaceColours } from "../../areas/place-colours.js";
import { choosePlaceOfSet, hovered, pointedAt, shownSet } from "../../areas/place-sets.js";
import { startPlaceValues, valuesNow } from "../../areas/place-values.js";
import { startPlacesPart } from "../../areas/places-part.js";
import { tileOfShapes } from "../../areas/set-tiles.js";
import { fetchPlaceTile } from "../../base/api.js";
import { colours, cssColour } from "../../base/colours.js";
import { choosePoint, dismiss, notify, pointer, replaceChooser } from "../../base/state.js";
import { text } from "../../base/text.js";
import { GridLayer } from "../../vendor/leaflet.js";
import { computed, effect, signal } from "../../vendor/signals-core.js";
import { boxOfTile, covers } from "../extent.js";
import { maps, turnTo } from "../map.js";
import { keyAbove } from "./map-keys.js";

const PANE = "places";
const CASING = "rgb(255 255 255 / 85%)";
const STROKE = "#1d2b26";
/** Smaller places on the map are filled without an outline. */
const SMALL_PX = 10;

/** Returns the colour of a value; null while there are no colours. */
const colourOf = computed(() => placeStyle.value && colours(placeStyle.value));

/**
 * Starts the sets of places: the choice of one, its places on the map, their values and colours.
 * @param {HTMLElement} panel
 * @param {HTMLElement} frame of the map
 */
export function startSets(panel, frame) {
	startPlaceColours();
	startPlaceValues();
	startPlacesPart(panel, frame);
	keyAbove.value = { content: placesKey, body: panel };
	startPlaceTiles(maps.peek()[0]);
}

/** @param {LeafletMap} map */
function startPlaceTiles(map) {
	map.createPane(PANE).style.zIndex = "360";
	effect(() => {
		const set = shownSet.value;
		if (!set) return;
		const tiles = new PlaceTiles(set);
		tiles.addTo(map);
		replaceChooser((point, isKept) => {
			const feature = tiles.featureAt(point);
			if (feature) void choosePlaceOfSet(feature, isKept);
			else choosePoint(point, isKept);
		});
		const stops = [
			effect(() => {
				tiles.loads.value;
				hovered.value = pointer.value && tiles.featureAt(pointer.value);
			}),
			effect(() =>
				tiles.paintAll({
					values: valuesNow.value.values,
					colour: colourOf.value,
					strong: hovered.value?.id ?? pointedAt.value ?? -1,
				}),
			),
		];
		return () => {
			for (const stop of stops) stop();
			replaceChooser(choosePoint);
			hovered.value = null;
			tiles.remove();
			dismiss("place tiles");
		};
	});
}

/**
 * @typedef {{ values: (number | null)[], colour: ColourOf | null, strong: number }} Look `strong` is the number of the
 *   highlighted place
 */

class PlaceTiles extends GridLayer {
	/** @param {PlaceSet} set */
	constructor(set) {
		super({ pane: PANE, updateWhenZooming: false, maxZoom: 24 });
		this.set = set;
		/** @type {Map<string, Tile>} */
		this.tiles = new Map();
		/** Counts loaded tiles. */
		this.loads = signal(0);
		/** @type {Look} */
		this.look = { values: [], colour: null, strong: -1 };
		this.on("tileunload", ({ coords }) => {
			this.tiles.get(keyOf(coords))?.stopping.abort();
			this.tiles.delete(keyOf(coords));
		});
	}

	/** @param {import("../basemap.js").TileCoords} coords @param {(error?: Error, tile?: HTMLElement) => void} done */
	createTile(coords, done) {
		const canvas = document.createElement("canvas");
		const { x: size } = this.getTileSize();
		canvas.width = canvas.height = size * Math.min(2, window.devicePixelRatio || 1);
		/** @type {Tile} */
		const tile = { canvas, outlines: [], stopping: new AbortController() };
		this.tiles.set(keyOf(coords), tile);
		this.load(tile, coords).then(
			() => done(undefined, canvas),
			(error) => {
				if (tile.stopping.signal.aborted) return;
				done(error, canvas);
				const again = () => {
					dismiss("place tiles");
					this.redraw();
				};
				const action = { label: text("action.tryAgain"), run: again };
				notify("place tiles", text("places.tilesFailed", { title: this.set.title, why: error.message }), action);
			},
		);
		return canvas;
	}

	/** @param {Tile} tile @param {import("../basemap.js").TileCoords} coords */
	async load(tile, { x, y, z }) {
		const across = 2 ** z;
		if (y < 0 || y >= across) return;
		const wrapped = { x: ((x % across) + across) % across, y, z };
		const { shapes } = this.set;
		if (!shapes && !covers(this.set.bbox, boxOfTile(wrapped))) return;
		// Files have a maximum zoom: beyond it the tile is a part of one of that zoom.
		const parts = 2 ** (shapes ? 0 : Math.max(0, z - (this.set.maxzoom ?? z)));
		const whole = { x: Math.floor(wrapped.x / parts), y: Math.floor(y / parts), z: z - Math.log2(parts) };
		const corner = { left: wrapped.x - whole.x * parts, top: y - whole.y * parts };
		const layers = await (shapes
			? tileOfShapes(shapes, wrapped)
			: fetchLayersOfTile(this.set, whole, tile.stopping.signal));
		tile.outlines = layers.flatMap(({ extent, features }) =>
			features.map((feature) => ({
				feature,
				path: pathOf(feature.rings, (parts * tile.canvas.width) / extent, corner, tile.canvas.width),
				isSmall: isWithin(feature.rings, (SMALL_PX * extent) / this.getTileSize().x / parts),
			})),
		);
		paint(tile, this.look);
		this.loads.value += 1;
	}

	/** @param {Look} look */
	paintAll(look) {
		const before = this.look;
		this.look = look;
		const isOnlyStrong = before.values === look.values && before.colour === look.colour;
		for (const tile of this.tiles.values()) {
			const hasStrong = tile.outlines.some(({ feature: { id } }) => id === look.strong || id === before.strong);
			if (!isOnlyStrong || hasStrong) paint(tile, look);
		}
	}

	/** Returns the place at a point, from the visible tiles. @param {Point} point */
	featureAt({ lon, lat }) {
		const map = this._map;
		const zoom = map?.getZoom();
		if (!map || zoom === undefined) return null;
		const at = map.project([lat, lon + turnTo(map, [lon])], zoom);
		const { x: size } = this.getTileSize();
		const [x, y] = [Math.floor(at.x / size), Math.floor(at.y / size)];
		const tile = this.tiles.get(keyOf({ x, y, z: zoom }));
		const context = tile?.canvas.getContext("2d");
		if (!tile || !context) return null;
		const ratio = tile.canvas.width / size;
		const [left, top] = [(at.x - x * size) * ratio, (at.y - y * size) * ratio];
		const outline = tile.outlines.findLast(({ path }) => context.isPointInPath(path, left, top, "evenodd"));
		return outline?.feature ?? null;
	}
}

/** @param {PlaceSet} set @param {{ x: number, y: number, z: number }} coords @param {AbortSignal} stopped */
async function fetchLayersOfTile(set, coords, stopped) {
	const { decodeTile } = await import("../../areas/formats/mvt.js");
	return decodeTile(await fetchPlaceTile(set, coords, stopped));
}

/** @param {{ x: number, y: number, z: number }} coords */
const keyOf = ({ x, y, z }) => `${z}/${x}/${y}`;

/**
 * @param {Int32Array[]} rings
 * @param {number} scale
 * @param {{ left: number, top: number }} corner of the tile, in tiles
 * @param {number} size
 */
function pathOf(rings, scale, { left, top }, size) {
	const path = new Path2D();
	for (const ring of rings) {
		for (let at = 0; at < ring.length; at += 2) {
			path[at === 0 ? "moveTo" : "lineTo"](ring[at] * scale - left * size, ring[at + 1] * scale - top * size);
		}
		path.closePath();
	}
	return path;
}

/** Whether rings are no larger than this. @param {Int32Array[]} rings @param {number} most */
function isWithin([ring = new Int32Array(0)], most) {
	const [x, y] = ring;
	return ring.every((each, at) => Math.abs(each - (at % 2 === 0 ? x : y)) <= most);
}

/** @param {Tile} tile @param {Look} look */
function paint({ canvas, outlines }, { values, colour, strong }) {
	const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
	const ratio = Math.min(2, window.devicePixelRatio || 1);
	context.clearRect(0, 0, canvas.width, canvas.height);
	for (const { feature, path } of outlines) {
		const value = values[feature.id] ?? null;
		if (value === null || !colour) continue;
		context.fillStyle = cssColour(colour(value));
		context.fill(path, "evenodd");
	}
	context.lineJoin = "round";
	for (const { feature, path, isSmall } of outlines) {
		const isStrong = feature.id === strong;
		const isColoured = colour !== null && (values[feature.id] ?? null) !== null;
		if (isSmall && isColoured && !isStrong) continue;
		context.strokeStyle = CASING;
		context.lineWidth = (isStrong ? 5 : 2.5) * ratio;
		context.stroke(path);
		context.strokeStyle = STROKE;
		context.lineWidth = (isStrong ? 2.5 : 0.9) * ratio;
		context.stroke(path);
	}
}
