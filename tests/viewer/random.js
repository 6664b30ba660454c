/** Numbers that look random and are the same in every run. @param {number} seed */
export function makeRandom(seed) {
	let state = seed >>> 0;
	const number = () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 32;
	};
	return {
		/** From 0, below 1. */
		number,
		/** @template T @param {T[]} choices @returns {T} */
		pick: (choices) => choices[Math.floor(number() * choices.length)],
	};
}
