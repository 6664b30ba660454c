/** The handle that makes a drawer taller or lower, by pointer and by keys. */
import { text } from "../text.js";

const STEP_PX = 24;
const LOWEST_PX = 150;
/** What the drawer leaves of the room that it shares with the map. */
const LEFT_PX = 320;

/**
 * @param {HTMLElement} handle @param {HTMLElement} body whose height it sets @param {number} usual in pixels
 */
export function startHandle(handle, body, usual) {
	let height = usual;
	const highest = () => Math.max(LOWEST_PX, window.innerHeight - LEFT_PX);
	const set = (/** @type {number} */ wished) => {
		height = Math.round(Math.max(LOWEST_PX, Math.min(highest(), wished)));
		body.style.setProperty("--chart-height", `${height}px`);
		handle.setAttribute("aria-valuenow", String(height));
		handle.setAttribute("aria-valuemax", String(highest()));
		handle.setAttribute("aria-valuetext", text("chart.heightNow", { height }));
	};
	handle.setAttribute("aria-valuemin", String(LOWEST_PX));
	set(usual);
	/** @type {Record<string, () => number>} */
	const keys = {
		ArrowUp: () => height + STEP_PX,
		ArrowDown: () => height - STEP_PX,
		Home: highest,
		End: () => LOWEST_PX,
		Enter: () => usual,
	};
	handle.addEventListener("keydown", (event) => {
		if (!Object.hasOwn(keys, event.key)) return;
		event.preventDefault();
		set(keys[event.key]());
	});
	handle.addEventListener("pointerdown", (event) => {
		const from = { y: event.clientY, height };
		handle.setPointerCapture(event.pointerId);
		const move = (/** @type {PointerEvent} */ { clientY }) => set(from.height + from.y - clientY);
		handle.addEventListener("pointermove", move);
		for (const end of ["pointerup", "pointercancel"])
			handle.addEventListener(end, () => handle.removeEventListener("pointermove", move), { once: true });
	});
	handle.addEventListener("dblclick", () => set(usual));
	window.addEventListener("resize", () => set(height));
}
