/** Position of the handle between two sides, as a share of the map from 0 to 1. Pure. */

const STEP = 0.02;
const PAGE = 0.1;

/** @param {number} share */
export const clamp = (share) => Math.min(1, Math.max(0, share));

/** Returns the position after a key. @param {string} key @param {number} now */
export function movedBy(key, now) {
	const to = {
		ArrowLeft: now - STEP,
		ArrowUp: now - STEP,
		ArrowRight: now + STEP,
		ArrowDown: now + STEP,
		PageUp: now - PAGE,
		PageDown: now + PAGE,
		Home: 0,
		End: 1,
	}[key];
	return to === undefined ? null : Number(clamp(to).toFixed(3));
}
