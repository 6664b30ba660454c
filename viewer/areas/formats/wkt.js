/**
 * Reads and writes geometries as well-known text (OGC 06-103r4 §7); pure. No library is used, because betterknown
 * accepts words as numbers, ignores the rest of the text and overflows its stack at deep brackets, @terraformer/wkt
 * (41 kB) does not know SRID, and neither reports the position of a fault.
 *
 * @typedef {import("../shapes/earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {{ type: string, coordinates: unknown }} AnyGeometry as in GeoJSON
 */
import { AreaFault } from "./faults.js";

/**
 * How deep the brackets of each type go, with the name that GeoJSON gives it.
 * @type {Record<string, [name: string, depth: number]>}
 */
const TYPES = {
	POINT: ["Point", 0],
	LINESTRING: ["LineString", 1],
	MULTIPOINT: ["MultiPoint", 1],
	POLYGON: ["Polygon", 2],
	MULTILINESTRING: ["MultiLineString", 2],
	MULTIPOLYGON: ["MultiPolygon", 3],
};
const TOKEN = /\s*([A-Za-z]+|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[(),;=])/y;
/** EPSG:4326 as PostGIS writes it; its axes there are longitude and latitude. */
const WGS84 = "4326";
const MAX_DEPTH = 8;

/** Reads the words, numbers and signs of a text one after the other. */
class Tokens {
	/** @param {string} source */
	constructor(source) {
		this.source = source;
		this.at = 0;
		this.next = "";
		this.advance();
	}

	/** Gives the token that was next. */
	advance() {
		const { next } = this;
		TOKEN.lastIndex = this.at;
		const found = TOKEN.exec(this.source);
		if (!found && this.source.slice(this.at).trim() !== "") throw this.fault();
		this.next = found?.[1] ?? "";
		this.start = this.at;
		this.at = found ? TOKEN.lastIndex : this.source.length;
		return next;
	}

	/** @param {string} token */
	expect(token) {
		if (!this.accept(token)) throw this.fault();
	}

	/** @param {string} token */
	accept(token) {
		const isThere = this.next.toUpperCase() === token;
		if (isThere) this.advance();
		return isThere;
	}

	fault() {
		const near = this.source
			.slice(this.start ?? this.at)
			.trim()
			.slice(0, 20);
		return near === "" ? new AreaFault("areas.fault.wktEnd") : new AreaFault("areas.fault.wkt", { near });
	}
}

/**
 * Returns the geometries of a text, with collections flattened.
 * @param {string} source
 * @returns {AnyGeometry[]}
 */
export function parseWkt(source) {
	const tokens = new Tokens(source);
	/** @type {AnyGeometry[]} */
	const found = [];
	while (tokens.next !== "") {
		readReference(tokens);
		found.push(...readGeometry(tokens, 0));
		while (tokens.accept(";") || tokens.accept(","));
	}
	return found;
}

/** Whether a text looks like well-known text. @param {string} source */
export const isWkt = (source) =>
	/^\s*(srid\s*=|(multi)?(point|linestring|polygon)\b|geometrycollection\b)/i.test(source);

/** @param {Tokens} tokens */
function readReference(tokens) {
	if (!tokens.accept("SRID")) return;
	tokens.expect("=");
	const code = tokens.advance();
	if (code !== WGS84) throw new AreaFault("areas.fault.crs", { crs: `EPSG:${code}` });
	tokens.expect(";");
}

/** @param {Tokens} tokens @param {number} depth @returns {AnyGeometry[]} */
function readGeometry(tokens, depth) {
	const word = tokens.next.toUpperCase();
	const type = TYPES[word.replace(/(Z|M|ZM)$/, "")];
	const isCollection = word.startsWith("GEOMETRYCOLLECTION");
	if ((!type && !isCollection) || depth > MAX_DEPTH) throw tokens.fault();
	tokens.advance();
	while (["Z", "M", "ZM"].some((axes) => tokens.accept(axes)));
	if (tokens.accept("EMPTY")) return [];
	if (!isCollection) return [{ type: type[0], coordinates: readNested(tokens, type[1]) }];
	return readList(tokens, () => readGeometry(tokens, depth + 1)).flat();
}

/** @template T @param {Tokens} tokens @param {() => T} read @returns {T[]} */
function readList(tokens, read) {
	tokens.expect("(");
	const list = [read()];
	while (tokens.accept(",")) list.push(read());
	tokens.expect(")");
	return list;
}

/** @param {Tokens} tokens @param {number} depth @returns {unknown} */
function readNested(tokens, depth) {
	if (depth === 0) return readList(tokens, () => readPosition(tokens))[0];
	return readList(tokens, () => (depth === 1 ? readMember(tokens) : readNested(tokens, depth - 1)));
}

/**
 * Reads a position of a line or of a MULTIPOINT, with or without brackets.
 * @param {Tokens} tokens
 * @returns {Position}
 */
function readMember(tokens) {
	if (!tokens.accept("(")) return readPosition(tokens);
	const position = readPosition(tokens);
	tokens.expect(")");
	return position;
}

/** @param {Tokens} tokens @returns {Position} longitude and latitude; other coordinates are dropped */
function readPosition(tokens) {
	const numbers = [];
	while (/^[-+.\d]/.test(tokens.next)) numbers.push(Number(tokens.advance()));
	if (numbers.length < 2) throw tokens.fault();
	return numbers.slice(0, 2);
}

/** @param {Geometry} geometry */
export function formatWkt({ type, coordinates }) {
	return `${type.toUpperCase()} ${formatNested(type === "Point" ? [coordinates] : coordinates)}`;
}

/** @param {unknown[]} list @returns {string} */
function formatNested(list) {
	const parts = list.map((each) => {
		const members = /** @type {unknown[]} */ (each);
		return typeof members[0] === "number" ? members.join(" ") : formatNested(members);
	});
	return `(${parts.join(", ")})`;
}
