/**
 * Drawing on the map: pointer and keyboard set vertices, and the shape is visible while it grows.
 *
 * @typedef {import("../../areas/draft-steps.js").Draft} Draft
 * @typedef {import("../../areas/shapes/earth.js").Position} Position
 * @typedef {import("../../vendor/leaflet.js").Map} LeafletMap
 */

import { cursor, draft, finish, isByKeyboard, setCorner, undo } from "../../areas/draft-steps.js";
import { canFinish, isLine, outlineOf } from "../../areas/shapes/drafts.js";
import { alongTheEarth } from "../../areas/shapes/earth.js";
import { drawnRing, nearestTurn } from "../../areas/shapes/geometry.js";
import { CircleMarker, LayerGroup, Polygon, Polyline } from "../../vendor/leaflet.js";
import { computed, effect } from "../../vendor/signals-core.js";
import { toLatLngs, turnTo } from "../map.js";

const DRAFT_PANE = "draft";
const LINE = { pane: DRAFT_PANE, interactive: false, smoothFactor: 0 };
export const CASING = { ...LINE, color: "#fff", weight: 5, opacity: 0.9, fill: false };
export const STROKE = { ...LINE, color: "var(--accent-on-map)", weight: 2.25, fill: false };
const CLOSING = { ...STROKE, weight: 1.5, dashArray: "4 5" };
const KNOT = { ...STROKE, weight: 2, fill: true, fillColor: "#fff", fillOpacity: 1 };
/** A click so near to the last corner is the second of two. */
const SAME_PX = 4;
/**
 * Clicks at a larger distance are not a double click: map libraries treat two quick taps as one at any distance.
 */
const DOUBLE_PX = 40;
/** A click so near to the first corner closes the polygon. */
const CLOSING_PX = 12;
/** After a press and a movement of this length, a drag draws a rectangle or a circle. */
const DRAG_PX = 6;
const STEP_PX = 40;
const FINE_STEP_PX = 4;
/** @type {Record<string, [x: number, y: number]>} */
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {{ lng: number, lat: number }} at @returns {Position} */
const toPosition = ({ lng, lat }) => [lng, lat];

/** @param {LeafletMap} map */
export function startDraftLayer(map) {
	map.createPane(DRAFT_PANE).style.zIndex = "460";
	const tool = computed(() => draft.value?.tool ?? null);
	effect(() => {
		if (tool.value) return listen(map, tool.value === "rectangle" || tool.value === "circle");
	});
	const group = new LayerGroup().addTo(map);
	effect(() => {
		group.clearLayers();
		if (draft.value) for (const layer of layersOf(map, draft.value, cursor.value)) group.addLayer(layer);
	});
}

/**
 * Lets pointer and keyboard draw until the tool is laid down.
 * @param {LeafletMap} map
 * @param {boolean} isDragged whether the shape can be drawn by dragging
 * @returns {() => void}
 */
function listen(map, isDragged) {
	const container = map.getContainer();
	const stopping = new AbortController();
	const { signal } = stopping;
	const wasZooming = map.doubleClickZoom.enabled();
	map.doubleClickZoom.disable();
	container.dataset.tool = "draw";
	container.addEventListener("keydown", (event) => onKey(map, event), { capture: true, signal });
	container.addEventListener("pointerdown", () => usePointer(map), { signal });
	/** Positions of the last two clicks on the map. @type {import("leaflet").Point[]} */
	let clicks = [];
	/** @type {import("leaflet").LeafletEventHandlerFnMap} */
	const handlers = {
		mousemove: ({ latlng, originalEvent: { movementX, movementY } }) => {
			if (isByKeyboard.peek() && movementX === 0 && movementY === 0) return;
			usePointer(map);
			cursor.value = toPosition(latlng);
		},
		click: ({ latlng, containerPoint }) => {
			clicks = [...clicks.slice(-1), containerPoint];
			setAt(map, latlng);
		},
		dblclick: () => {
			const [one, two] = clicks;
			if (two && one.distanceTo(two) <= DOUBLE_PX && hasEnough()) finish();
		},
		move: () => {
			if (isByKeyboard.peek()) cursor.value = toPosition(map.getCenter());
		},
	};
	map.on(handlers);
	if (isDragged) drawByDrag(map, signal);
	if (isByKeyboard.peek()) useKeyboard(map);
	return () => {
		stopping.abort();
		map.off(handlers);
		if (wasZooming) map.doubleClickZoom.enable();
		delete container.dataset.tool;
	};
}

/** @param {LeafletMap} map */
function usePointer(map) {
	isByKeyboard.value = false;
	delete map.getContainer().dataset.keyboard;
}

/** @param {LeafletMap} map */
function useKeyboard(map) {
	isByKeyboard.value = true;
	const container = map.getContainer();
	container.dataset.keyboard = "";
	container.focus({ preventScroll: true });
	cursor.value = toPosition(map.getCenter());
}

/**
 * Returns the distance of two positions on the screen.
 * @param {LeafletMap} map
 * @param {Position} a
 * @param {Position} b
 */
function pixelsBetween(map, a, b) {
	const [from, to] = [a, nearestTurn(b, a)].map(([lng, lat]) => map.latLngToContainerPoint({ lng, lat }));
	return from.distanceTo(to);
}

/** Whether the drawing can be finished. */
function hasEnough() {
	const now = draft.peek();
	return now !== null && canFinish(now.tool, now.corners.now);
}

/**
 * Sets a vertex, or finishes the drawing if the position is at its first vertex, or by keyboard at its last one.
 * @param {LeafletMap} map @param {{ lng: number, lat: number }} at
 */
function setAt(map, at) {
	const now = draft.peek();
	if (!now) return;
	const [position, corners] = [toPosition(at), now.corners.now];
	const [first, last] = [corners[0], corners.at(-1)];
	const isLast = last !== undefined && !now.isDone && pixelsBetween(map, last, position) <= SAME_PX;
	const isFirst = now.tool === "polygon" && corners.length > 2 && pixelsBetween(map, first, position) <= CLOSING_PX;
	if (isFirst) finish();
	else if (!isLast) setCorner(position);
	else if (isByKeyboard.peek() && hasEnough()) finish();
}

/** @param {LeafletMap} map @param {KeyboardEvent} event */
function onKey(map, event) {
	if (event.target !== map.getContainer() || event.altKey) return;
	const isCommand = event.ctrlKey || event.metaKey;
	const arrow = isCommand ? undefined : ARROWS[event.key];
	if (arrow) {
		if (!isByKeyboard.peek()) useKeyboard(map);
		const step = event.shiftKey ? FINE_STEP_PX : STEP_PX;
		map.panBy([arrow[0] * step, arrow[1] * step], { animate: false });
	} else if (event.key === "Enter" && !isCommand) {
		if (isByKeyboard.peek()) setAt(map, map.getCenter());
		else if (hasEnough()) finish();
		else useKeyboard(map);
	} else if (event.key === "Backspace" || event.key === "Delete") undo();
	else return;
	event.preventDefault();
	event.stopPropagation();
}

/**
 * Draws a rectangle or a circle from the position where the pointer is pressed to where it is released.
 * @param {LeafletMap} map
 * @param {AbortSignal} signal
 */
function drawByDrag(map, signal) {
	const container = map.getContainer();
	/**
	 * @type
	 *   {(kind: "pointerdown" | "pointermove" | "pointerup" | "pointercancel", listener: (event: PointerEvent) =>
	 *   void) => void}
	 */
	const on = (kind, listener) => container.addEventListener(kind, listener, { signal });
	/** @type {{ id: number, x: number, y: number, isMoved: boolean } | null} */
	let press = null;
	map.dragging.disable();
	signal.addEventListener("abort", () => map.dragging.enable());
	const isOnMap = (/** @type {PointerEvent} */ { target }) =>
		!(/** @type {Element} */ (target).closest(".leaflet-control"));
	on("pointerdown", (event) => {
		const isFree = event.isPrimary && event.button === 0 && isOnMap(event) && draft.peek()?.corners.now.length === 0;
		press = isFree ? { id: event.pointerId, x: event.clientX, y: event.clientY, isMoved: false } : null;
	});
	on("pointermove", (event) => {
		if (press?.id !== event.pointerId) return;
		const at = toPosition(map.mouseEventToLatLng(event));
		if (!press.isMoved && Math.hypot(event.clientX - press.x, event.clientY - press.y) >= DRAG_PX) {
			press.isMoved = true;
			setCorner(toPosition(map.mouseEventToLatLng(new MouseEvent("press", { clientX: press.x, clientY: press.y }))));
		}
		cursor.value = at;
	});
	on("pointerup", (event) => {
		const isDrawn = press?.id === event.pointerId && press.isMoved;
		press = null;
		if (isDrawn) setCorner(toPosition(map.mouseEventToLatLng(event)));
	});
	on("pointercancel", () => {
		if (press?.isMoved) undo();
		press = null;
	});
}

/**
 * Returns the layers of the current drawing, on the visible copy of the world.
 * @param {LeafletMap} map
 * @param {Draft} now
 * @param {Position | null} at
 */
function layersOf(map, { tool, corners: { now: corners }, isDone }, at) {
	const turn = turnTo(map, corners[0]);
	const all = at && corners.length > 0 && !isDone ? [...corners, nearestTurn(at, corners.at(-1))] : corners;
	const knots = (tool === "circle" ? corners.slice(0, 1) : corners).map((corner, index) =>
		makeKnot(toLatLngs([corner], turn)[0], tool === "polygon" && index === 0 && corners.length > 2),
	);
	if (all.length < 2) return knots;
	if (isLine(tool)) return [...makeLine(toLatLngs(alongTheEarth(all), turn)), ...knots];
	const ring = toLatLngs(drawnRing(outlineOf(tool, all)), turn);
	const fill = new Polygon(ring, { ...LINE, stroke: false, fillColor: STROKE.color, fillOpacity: 0.14 });
	if (tool !== "polygon") return [fill, ...makeLine(ring), ...knots];
	const closing = new Polyline(toLatLngs([all[all.length - 1], all[0]], turn), CLOSING);
	return [fill, closing, ...makeLine(toLatLngs(drawnRing(all), turn)), ...knots];
}

/** @param {[number, number][]} latLngs */
const makeLine = (latLngs) => [new Polyline(latLngs, CASING), new Polyline(latLngs, STROKE)];

/** @param {[number, number]} at @param {boolean} isEnd whether a click on it closes the polygon */
const makeKnot = (at, isEnd) => new CircleMarker(at, { ...KNOT, radius: isEnd ? 7 : 4.5 });
