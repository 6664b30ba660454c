/**
 * Whether a text is well-formed XML, and if not in which line; pure. The browser's own parser would say so too, but
 * writes its complaint with a style of its own, which the page's security policy forbids.
 */
import { AreaFault } from "./faults.js";

/** What comes next: a comment, CDATA, an instruction, a tag, text, or one of XML's five entities or of a character. */
const PIECE =
	/<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<(\/?)([^\s<>/=!?"'&]+)(?:\s+[^\s<>/="']+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?)>|[^<&]+|&(?:lt|gt|amp|quot|apos|#\d+|#x[\da-fA-F]+);/y;

/** @param {string} source @throws {AreaFault} with the line where it goes wrong */
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
