/** The tab with a line a year: not there yet. */

/** @typedef {import("../series/figure.js").Sheet} Sheet */

/**
 * @param {HTMLElement} _element @param {{ lines: import("@preact/signals-core").ReadonlySignal<import("../series/lines.js").Line[]>, reducer: import("@preact/signals-core").ReadonlySignal<string>, isOpen: import("@preact/signals-core").ReadonlySignal<boolean> }} _chart
 * @returns {Sheet}
 */
export const startYears = (_element, _chart) => ({ rows: () => [], svg: () => null, span: () => null });
