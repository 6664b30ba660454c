/**
 * Why something cannot become an area, in words for people.
 *
 * @typedef {import("../../base/text.js").TextKey} TextKey
 * @typedef {import("../../base/text.js").Values} Values
 */
import { text } from "../../base/text.js";

/** What is wrong, and where: of which line or which feature. */
export class AreaFault extends Error {
	/** @param {TextKey} key of the text that says so @param {Values} [values] */
	constructor(key, values = {}) {
		super(text(key, values));
		this.key = key;
		this.values = values;
	}
}

/** What all areas together may have. */
export const LIMITS = { areas: 200, corners: 50_000 };
/** What one file may have: with more than areas may have, its shapes are a set of places. */
export const FILE_LIMITS = { bytes: 10_000_000, unpackedBytes: 50_000_000, shapes: 5000, corners: 500_000 };

const NAME_LENGTH = 80;

/** A name as it is kept: one line, no control characters, not too long. @param {unknown} name */
export const tidyName = (name) =>
	(typeof name === "string" || typeof name === "number" ? String(name) : "")
		.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
		.trim()
		.slice(0, NAME_LENGTH);
