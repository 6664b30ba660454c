/**
 * Drawing and editing on the map, step by step, from the choice of the tool to the stored area.
 *
 * @typedef {import("./shapes/drafts.js").Tool} Tool
 * @typedef {import("./shapes/earth.js").Position} Position
 * @typedef {import("../base/state.js").Geometry} Geometry
 * @typedef {{ tool: Tool, corners: import("./shapes/drafts.js").History<Position[]>, isDone: boolean }} Draft a
 *   finished measurement stays until the next one
 * @typedef {{ id: string, geometry: import("./shapes/drafts.js").History<Geometry> }} Change
 */
import { toPlace } from "../base/permalink.js";
import { chooseMapTool, chooseProfileLine, dismiss, notify, openInspection } from "../base/state.js";
import { text } from "../base/text.js";
import { batch, signal } from "../vendor/signals-core.js";
import { tidyGeometry } from "./shapes/corners.js";
import { beginHistory, canFinish, DECIMALS, doStep, isEnough, redoStep, shapeOf, undoStep } from "./shapes/drafts.js";
import { nearestTurn } from "./shapes/geometry.js";
import { addAreas, changeArea, editedId, findArea } from "./store.js";

export const draft = signal(/** @type {Draft | null} */ (null));
/** Position of the next vertex: under the pointer, or at the centre of the map while the keyboard is used. */
export const cursor = signal(/** @type {Position | null} */ (null));
/** Whether corners are set by the keyboard, in the middle of the map. */
export const isByKeyboard = signal(false);
export const change = signal(/** @type {Change | null} */ (null));
/** Whether more corners of it are in sight than have handles; only the map sets it. */
export const isTooFine = signal(false);

/** @param {Tool} tool @param {boolean} byKeyboard whether it was taken by the keyboard */
export function beginDraft(tool, byKeyboard) {
	batch(() => {
		cancel();
		isByKeyboard.value = byKeyboard;
		draft.value = { tool, corners: beginHistory(/** @type {Position[]} */ ([])), isDone: false };
		chooseMapTool(tool);
	});
}

/** @param {string} id of the area with vertices to move */
export function beginChange(id) {
	const area = findArea(id);
	if (!area) return;
	batch(() => {
		cancel();
		editedId.value = id;
		change.value = { id, geometry: beginHistory(area.geometry) };
		chooseMapTool("edit");
	});
}

/** Sets the next corner; with the last that is needed, the shape is done. @param {Position} position */
export function setCorner(position) {
	const now = draft.peek();
	if (!now) return;
	const corners = now.isDone ? beginHistory(/** @type {Position[]} */ ([])) : now.corners;
	const next = doStep(corners, [...corners.now, nearestTurn(position, corners.now.at(-1))]);
	draft.value = { ...now, corners: next, isDone: false };
	if (isEnough(now.tool, next.now)) finish();
}

/** Adopts a new form of the edited area. @param {Geometry | null} geometry null changes nothing */
export function stepChange(geometry) {
	const now = change.peek();
	if (now && geometry) change.value = { ...now, geometry: doStep(now.geometry, geometry) };
}

/**
 * @template T
 * @param {(history: import("./shapes/drafts.js").History<T>) => import("./shapes/drafts.js").History<T>} step
 */
function walk(step) {
	const [now, changing] = [draft.peek(), change.peek()];
	if (now) draft.value = { ...now, corners: /** @type {any} */ (step)(now.corners), isDone: false };
	if (changing) change.value = { ...changing, geometry: /** @type {any} */ (step)(changing.geometry) };
}

export const undo = () => walk(undoStep);
export const redo = () => walk(redoStep);

/** Stores the drawn or edited area and puts the tool away; an edit without area changes nothing. */
export function finish() {
	const [now, changing] = [draft.peek(), change.peek()];
	if (now?.tool === "measure") {
		if (canFinish("measure", now.corners.now)) draft.value = { ...now, isDone: true };
		return;
	}
	if (now?.tool === "profile") return showProfile(now.corners.now);
	const geometry = now ? shapeOf(now.tool, now.corners.now) : changing && tidyGeometry(changing.geometry.now);
	if (!geometry) {
		if (now && isEnough(now.tool, now.corners.now)) draft.value = { ...now, corners: undoStep(now.corners) };
		notify("drawing", text(now?.tool === "circle" ? "areas.overPole" : "areas.flat"));
		return;
	}
	batch(() => {
		if (now) addAreas([{ name: "", geometry }], { isCharted: true });
		else if (changing) changeArea(changing.id, { geometry });
		cancel();
	});
}

/** @param {Position[]} corners */
function showProfile(corners) {
	if (!canFinish("profile", corners)) return;
	batch(() => {
		chooseProfileLine(corners.map(([lng, lat]) => toPlace({ lng, lat }, DECIMALS)));
		openInspection("profile");
		cancel();
	});
}

/** Puts the tool away and drops an unfinished drawing. */
export function cancel() {
	if (!draft.peek() && !change.peek()) return;
	batch(() => {
		draft.value = null;
		change.value = null;
		cursor.value = null;
		editedId.value = null;
	});
	dismiss("drawing");
	// The click that set the last vertex has not yet reached the listeners that choose points by clicks.
	window.setTimeout(() => {
		if (!draft.peek() && !change.peek()) chooseMapTool(null);
	});
}
