/**
 * Why something cannot become an area, in words for people.
 *
 * @typedef {import("../../base/text.js").TextKey} TextKey
 * @typedef {import("../../base/text.js").Values} Values
 */
import { text } from "../../base/text.js";

/** A fault with its place: a line or a feature. */
export class AreaFault extends Error {
	/** @param {TextKey} key of the message @param {Values} [values] */
	constructor(key, values = {}) {
		super(text(key, values));
		this.key = key;
		this.values = values;
	}
}

/** Limits of all areas together. */
export const LIMITS = { areas: 200, corners: 50_000 };
/** Limits of one file. A file with more shapes than `LIMITS.areas` becomes a set of places. */
export const FILE_LIMITS = { bytes: 10_000_000, unpackedBytes: 50_000_000, shapes: 5000, corners: 500_000 };

const NAME_LENGTH = 80;

/** Returns a name in its stored form: one line, no control characters, limited length. @param {unknown} name */
export const tidyName = (name) =>
	(typeof name === "string" || typeof name === "number" ? String(name) : "")
		.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
		.trim()
		.slice(0, NAME_LENGTH);
