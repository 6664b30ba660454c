/**
 * The map: its view, clicks and keys on it, and the parts that draw on it from the start.
 *
 * @typedef {import("../base/permalink.js").BBox} BBox
 * @typedef {import("../base/permalink.js").Point} Point
 */
import { atEnd, live } from "../base/live.js";
import { isLoading, startPart } from "../base/parts.js";
import { toPlace, wrapLon } from "../base/permalink.js";
import {
	chooser,
	destination,
	isMoving,
	mapTool,
	overlay,
	places,
	replacePlaces,
	reportView,
	sideA,
	tileProgress,
} from "../base/state.js";
import { text } from "../base/text.js";
import { Control, LatLngBounds, LayerGroup, Map as LeafletMap } from "../vendor/leaflet.js";
import { effect, signal, untracked } from "../vendor/signals-core.js";
import { drawSide } from "./data-pane.js";
import { creditGround, showGround } from "./ground.js";

const MAX_ZOOM = 18;
const NAMES_WAIT_MS = 1000;
/** Decimals of the coordinates of the map's centre, as in links. */
const VIEW_DIGITS = 5;
/** Minimum distance between visible places and the edges of the map. @type {[number, number]} */
const MARGIN_PX = [40, 40];
/** Size of a typical map, for links that name a place and no view. */
const USUAL_PX = { width: 1024, height: 576 };

/** The maps on the page: that of side A first, then that of B if there are two. */
export const maps = signal(/** @type {LeafletMap[]} */ ([]));

/** Returns bounds that extend beyond 180 degrees if the box crosses it. @param {BBox} bbox */
const toBounds = ([west, south, east, north]) =>
	new LatLngBounds([south, west], [north, east > west ? east : east + 360]);

/** Makes an empty map. @param {HTMLElement} element */
export function makeMap(element) {
	const map = new LeafletMap(element, {
		attributionControl: false,
		fadeAnimation: false,
		maxZoom: MAX_ZOOM,
		minZoom: 1,
		worldCopyJump: true,
		center: [0, 0],
		zoom: 2,
		zoomControl: false,
		zoomAnimation: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
	});
	map.createPane("land").style.zIndex = "150";
	map.createPane("outlines").style.zIndex = "350";
	map.createPane("overlays").style.zIndex = "355";
	return map;
}

/** @param {HTMLElement} element */
export function startMap(element) {
	const map = makeMap(element);
	map.addControl(
		new Control.Zoom({
			position: "topright",
			zoomInTitle: text("map.zoomIn"),
			zoomOutTitle: text("map.zoomOut"),
		}),
	);
	map.addControl(new Control.Scale({ imperial: false, position: "bottomleft" }));
	followDestination(map);
	followClicks(map);
	maps.value = [map];
	drawSide(map, sideA);
	creditGround(/** @type {HTMLElement} */ (document.getElementById("ground-credit")));
	showGround(map);
	nameTowns();
	return map;
}

/** Loads the names of towns after the first pictures, while nothing moves; not if the browser shall save data. */
function nameTowns() {
	if (/** @type {any} */ (window.navigator).connection?.saveData) return;
	const stop = effect(() => {
		if (!overlay.value || isMoving.value || tileProgress.value.phase !== "shown") return;
		const waiting = window.setTimeout(() => {
			stop();
			void startPart("names", async () => (await import("./names.js")).startNames(maps));
		}, NAMES_WAIT_MS);
		return () => window.clearTimeout(waiting);
	});
}

/**
 * Moves the map to the destination, and restores that view when its frame changes its size, so that the next link
 * equals the requested one. A box is fitted again only until the first pictures are shown, while the page is still
 * loading, or, if the box is held, until the user moves the map; after that a change of size never zooms.
 * @param {LeafletMap} map
 */
function followDestination(map) {
	/** The intended view: the destination, or where the user has moved the map. */
	let held = destination.peek();
	let isSent = false;
	let isMoving = false;
	/** Whether the user has done anything since then: before that, changes of the page's layout restore the view. */
	let isTouched = false;
	const touch = () => {
		isTouched = true;
	};
	for (const kind of ["pointerdown", "keydown"]) window.addEventListener(kind, touch, true);
	const go = () => {
		if (!held) return;
		if (held.near && held.bbox) held = aroundPlace(map, held.near, held.bbox);
		isSent = true;
		/** Leaflet reads `lon` as well, which its types omit. @type {any} */
		const { view } = held;
		if (view) {
			map.setView(view, view.zoom, { animate: false });
			// After a change of size, Leaflet alone leaves up to half a pixel.
			map.panBy(map.project(view).subtract(map.getPixelBounds().getCenter()), { animate: false });
		} else if (held.bbox)
			map.fitBounds(toBounds(held.bbox), { animate: false, padding: held.isHeld ? MARGIN_PX : [0, 0] });
		isSent = false;
		isMoving = false;
		report();
	};
	const report = () => {
		if (!held || isSent) return;
		const place = held.view ?? placeOf(map);
		reportView({ ...place, bbox: bboxAround(map, place) });
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
		isTouched = false;
		// Code that runs after the move may read other signals, which must not move the map again.
		untracked(go);
	});
	effect(() => {
		if (tileProgress.value.phase === "shown" && !isLoading.value && held?.bbox && !held.isHeld)
			held = { view: placeOf(map) };
	});
	const resize = () => {
		isSent = true;
		map.invalidateSize({ pan: false });
		isSent = false;
		// If the user is moving it, the end of the movement updates the view.
		if (!isMoving) go();
	};
	new ResizeObserver(() => {
		if (held?.isHeld || !isTouched) resize();
		else {
			if (held?.bbox) held = { view: placeOf(map) };
			keepInSight(map, resize);
		}
	}).observe(map.getContainer());
}

/**
 * Returns a view with a point in the middle, at the zoom at which the box fits into a typical window, independent of
 * the current one; returns the box if the point is outside of it.
 * @param {LeafletMap} map
 * @param {Point} near
 * @param {BBox} bbox
 */
function aroundPlace(map, { lon, lat }, bbox) {
	const bounds = toBounds(bbox);
	if (!bounds.contains([lat, lon])) return { bbox };
	const size = map.project(bounds.getSouthEast(), 0).subtract(map.project(bounds.getNorthWest(), 0));
	const zoom = Math.floor(Math.log2(Math.min(USUAL_PX.width / size.x, USUAL_PX.height / size.y)));
	return { view: { lon, lat, zoom: Math.max(1, Math.min(MAX_ZOOM, zoom)) } };
}

/**
 * Changes the map's size; a chosen place that was in sight stays so.
 * @param {LeafletMap} map
 * @param {() => void} resize
 */
function keepInSight(map, resize) {
	const place = places.peek().at(-1);
	const wasSeen = place && map.getBounds().contains(boundsOf(place, map.getCenter().lng));
	resize();
	if (!wasSeen) return;
	const around = boundsOf(place, map.getCenter().lng); // the map may now show another copy of the world
	for (const corner of [around.getSouthEast(), around.getNorthWest()]) {
		map.panInside(corner, { animate: false, padding: MARGIN_PX });
	}
}

/**
 * Returns the bounds of a place, on the copy of the world that is nearest to a meridian.
 * @param {import("../base/state.js").Place} place
 * @param {number} near degrees of the map, which may exceed 180
 */
function boundsOf({ geometry }, near) {
	const numbers = /** @type {number[]} */ (geometry.coordinates.flat(3));
	const turn = 360 * Math.round((near - numbers[0]) / 360);
	return new LatLngBounds(numbers.flatMap((lon, at) => (at % 2 === 0 ? [[numbers[at + 1], lon + turn]] : [])));
}

/** @param {LeafletMap} map */
const placeOf = (map) => ({ ...toPlace(map.getCenter(), VIEW_DIGITS), zoom: map.getZoom() });

/**
 * Returns the bbox of the map around a requested centre; the centre of the map itself deviates by part of a pixel.
 * @param {LeafletMap} map @param {import("../base/permalink.js").View} place @returns {BBox}
 */
function bboxAround(map, { lon, lat, zoom }) {
	const half = map.getSize().divideBy(2);
	const centre = map.project([lat, lon], zoom);
	const [northWest, southEast] = [centre.subtract(half), centre.add(half)].map((corner) => map.unproject(corner, zoom));
	const isWorld = southEast.lng - northWest.lng >= 360;
	const [west, east] = isWorld ? [-180, 180] : [wrapLon(northWest.lng), wrapLon(southEast.lng)];
	return [west, Math.max(-90, southEast.lat), east, Math.min(90, northWest.lat)];
}

/** Charts the clicked points of a map. @param {LeafletMap} map */
export function followClicks(map) {
	let before = places.peek();
	map.on("click", ({ containerPoint, originalEvent }) => {
		if (mapTool.peek() || originalEvent.detail > 1) return;
		before = places.peek();
		chooser.peek()(placeUnder(map, containerPoint), originalEvent.shiftKey);
	});
	// The first click of two was not meant for a place: they zoom.
	map.on("dblclick", () => {
		if (!mapTool.peek()) replacePlaces(before);
	});
	const container = map.getContainer();
	container.addEventListener("keydown", (event) => {
		if (event.key !== "Enter" || event.target !== container || mapTool.peek()) return;
		event.preventDefault();
		chooser.peek()(centreOf(map), event.shiftKey);
	});
	// The style sheet marks the centre for keyboard users: `:focus-visible` is true after some clicks too.
	container.addEventListener("keyup", () => {
		container.dataset.keyboard = "";
	});
	container.addEventListener("pointerdown", () => delete container.dataset.keyboard);
}

/**
 * Returns the centre of the pixel under a pointer. Pixels of tiles count, whose edges may differ from those of the
 * page.
 * @param {LeafletMap} map @param {import("../vendor/leaflet.js").Point} containerPoint
 */
export function placeUnder(map, containerPoint) {
	const inWorld = map.getPixelBounds().getTopLeft().add(containerPoint);
	return toPlace(map.unproject(inWorld.round().add([0.5, 0.5])));
}

/**
 * Adds layers to every map, made separately for each, like `live`.
 * @param {(map: LeafletMap) => import("../vendor/leaflet.js").Layer[]} make
 */
export const putOnMaps = (make) =>
	live(() => {
		for (const map of maps.value) {
			const group = new LayerGroup(make(map)).addTo(map);
			atEnd(() => group.remove());
		}
	});

/**
 * Degrees to add to longitudes so that a position is on the turn of the globe that the map shows.
 * @param {LeafletMap} map
 * @param {number[]} [position]
 */
export const turnTo = (map, [lon] = [0]) => 360 * Math.round((map.getCenter().lng - lon) / 360);

/**
 * Positions as Leaflet takes them.
 * @param {number[][]} line longitude first
 * @param {number} [turn] to add to longitudes
 */
export const toLatLngs = (line, turn = 0) =>
	line.map(([lon, lat]) => /** @type {[number, number]} */ ([lat, lon + turn]));

/** @param {LeafletMap} map */
export const centreOf = (map) => toPlace(map.getCenter());
