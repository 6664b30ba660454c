/**
 * How the drawing of years is moved: dragged, it moves the map; a press chooses what is there; keys go through dates and years.
 *
 * @typedef {{ x: number, y: number }} Spot in pixels of the drawing
 * @typedef {{ hover: (at: Spot | null) => void, go: (at: Spot) => void, press: (at: Spot) => void, step: (by: number) => void, turn: (by: number) => void }} Does
 *   `step` to another date, `turn` to another year
 */
import { intent, isDragged, isMoving } from "../../base/state.js";

/** A pointer that moves less has pressed. */
const DRAG_PX = 5;

/** @param {HTMLElement} holder of the drawing @param {Does} does */
export function followPointer(holder, { hover, go, press, step, turn }) {
	/** @type {number | null} where it was pressed */
	let start = null;
	const spot = (/** @type {PointerEvent} */ { clientX, clientY }) => {
		const { left, top } = holder.getBoundingClientRect();
		return { x: clientX - left, y: clientY - top };
	};
	const end = () => {
		start = null;
		if (isDragged.peek()) isDragged.value = isMoving.value = false;
	};
	holder.addEventListener("pointerdown", (event) => {
		if (event.button !== 0) return;
		start = event.clientX;
		holder.setPointerCapture(event.pointerId);
		intent.value = intent.peek() + 1;
	});
	holder.addEventListener("pointermove", (event) => {
		if (start === null) return event.pointerType !== "touch" && hover(spot(event));
		if (!isDragged.peek() && Math.abs(event.clientX - start) < DRAG_PX) return;
		isDragged.value = isMoving.value = true;
		hover(null);
		go(spot(event));
	});
	holder.addEventListener("pointerup", (event) => {
		if (start !== null && !isDragged.peek()) press(spot(event));
		end();
	});
	holder.addEventListener("pointercancel", end);
	holder.addEventListener("pointerleave", () => hover(null));
	/** @type {Record<string, [act: (by: number) => void, by: number]>} */
	const keys = { ArrowLeft: [step, -1], ArrowRight: [step, 1], ArrowUp: [turn, -1], ArrowDown: [turn, 1] };
	holder.addEventListener("keydown", (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
		event.preventDefault();
		const [act, by] = keys[event.key];
		act(by);
	});
}
