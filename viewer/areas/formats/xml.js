/**
 * Finds the first line at which a text is not well-formed XML; pure. The parser of the browser reports it too, but with
 * inline styles, which the security policy of the page forbids.
 */
import { AreaFault } from "./faults.js";

/** The next piece: a comment, CDATA, an instruction, a tag, text, a predefined entity or a character reference. */
const PIECE =
	/<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<(\/?)([^\s<>/=!?"'&]+)(?:\s+[^\s<>/="']+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?)>|[^<&]+|&(?:lt|gt|amp|quot|apos|#\d+|#x[\da-fA-F]+);/y;

/** @param {string} source @throws {AreaFault} with the line of the fault */
export function checkXml(source) {
	/** @type {string[]} */
	const open = [];
	let at = 0;
	const fail = () => new AreaFault("areas.fault.xml", { line: source.slice(0, at).split("\n").length });
	while (at < source.length) {
		PIECE.lastIndex = at;
		const [whole, end, name, isEmpty] = PIECE.exec(source) ?? [];
		if (whole === undefined) throw fail();
		if (end === "/" && open.pop() !== name) throw fail();
		if (end === "" && isEmpty === "") open.push(name);
		at += whole.length;
	}
	if (open.length > 0) throw fail();
}
