/**
 * A slider over the dates of a layer, which the cube layer on a map follows.
 *
 * @typedef {import("./layer.js").Layer} Layer
 * @typedef {{ painter: import("../../../viewer/ctc1/painter.js").CubePainter }} CubeLayer
 */

/**
 * Joins `<input type="range">` with the cube layer of a map. Cubes of the surrounding dates load after the slider is
 * touched; then time moves without requests.
 * @param {HTMLInputElement} slider @param {Layer} layer @param {CubeLayer} cubes
 * @param {(date: string, index: number) => void} [onDate] called with each date, the first one included
 * @param {string} [first] the initial date; by default, and if the layer does not have it, the layer's default
 * @returns {{ show: (date: string | number) => void, stop: () => void }} `show` moves to a date or an index
 */
export function joinSlider(slider, layer, cubes, onDate = () => {}, first = "") {
	const stopping = new AbortController();
	const on = (/** @type {string} */ type, /** @type {() => void} */ run) =>
		slider.addEventListener(type, run, { signal: stopping.signal });
	const set = (/** @type {boolean} */ isMoving) => {
		const index = Number(slider.value);
		cubes.painter.set({ index, isMoving });
		slider.setAttribute("aria-valuetext", layer.times[index] ?? "");
		onDate(layer.times[index] ?? "", index);
	};
	const show = (/** @type {string | number} */ date) => {
		const index = typeof date === "number" ? date : layer.indexOf(date);
		if (!(index >= 0 && index < layer.times.length)) return;
		slider.value = String(index);
		set(false);
	};
	Object.assign(slider, { min: "0", max: String(Math.max(0, layer.times.length - 1)), step: "1" });
	for (const type of ["pointerdown", "keydown"]) on(type, () => cubes.painter.set({ isEngaged: true }));
	on("pointerdown", () => cubes.painter.set({ isDragged: true }));
	for (const type of ["pointerup", "pointercancel"]) on(type, () => cubes.painter.set({ isDragged: false }));
	on("input", () => set(true));
	on("change", () => set(false));
	const wanted = layer.indexOf(first);
	slider.value = String(wanted >= 0 ? wanted : layer.defaultIndex);
	set(false);
	return { show, stop: () => stopping.abort() };
}
