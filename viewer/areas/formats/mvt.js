/**
 * Polygons out of Mapbox vector tiles (specification 2.1); pure. Points and lines are left out.
 *
 * @typedef {{ id: number, properties: Record<string, string | number | boolean>, rings: Int32Array[] }} TileFeature
 *   rings as x, y, x, y …; none repeats its first position
 * @typedef {{ name: string, extent: number, features: TileFeature[] }} TileLayer `extent` units along each side of the tile
 */
const POLYGON = 3;
const [MOVE_TO, LINE_TO, CLOSE_PATH] = [1, 2, 7];
const [VARINT, DOUBLE, BYTES, FLOAT] = [0, 1, 2, 5];
const DEFAULT_EXTENT = 4096;

/** A tile that is not as the specification says. */
export class TileError extends Error {}

/** Reads a message of protocol buffers field by field. */
class Reader {
	/** @param {Uint8Array} bytes */
	constructor(bytes) {
		this.bytes = bytes;
		this.at = 0;
	}

	hasMore() {
		return this.at < this.bytes.length;
	}

	/** An unsigned number of up to 53 bits; more bits of it are lost. */
	varint() {
		let [value, weight] = [0, 1];
		for (let count = 0; count < 10; count++) {
			if (!this.hasMore()) throw new TileError("the tile breaks off");
			const byte = this.bytes[this.at++];
			value += (byte & 0x7f) * weight;
			if (byte < 0x80) return value;
			weight *= 128;
		}
		throw new TileError("a number of the tile has no end");
	}

	/** @param {number} length */
	take(length) {
		if (this.at + length > this.bytes.length) throw new TileError("the tile breaks off");
		this.at += length;
		return this.bytes.subarray(this.at - length, this.at);
	}

	message() {
		return new Reader(this.take(this.varint()));
	}

	text() {
		return new TextDecoder().decode(this.take(this.varint()));
	}

	/** @param {number} length @param {"getFloat32" | "getFloat64"} get */
	fraction(length, get) {
		const { buffer, byteOffset } = this.take(length);
		return new DataView(buffer, byteOffset, length)[get](0, true);
	}

	/** @param {number} type of the field that is not wanted */
	skip(type) {
		if (type === VARINT) this.varint();
		else if (type === BYTES) this.take(this.varint());
		else if (type === DOUBLE || type === FLOAT) this.take(type === DOUBLE ? 8 : 4);
		else throw new TileError("the tile has a field of an unknown type");
	}
}

/**
 * @param {Reader} reader
 * @param {Record<number, (reader: Reader, type: number) => void>} wanted by number of the field
 */
function readFields(reader, wanted) {
	while (reader.hasMore()) {
		const key = reader.varint();
		const [field, type] = [Math.floor(key / 8), key % 8];
		if (wanted[field]) wanted[field](reader, type);
		else reader.skip(type);
	}
}

/** @param {Reader} reader */
function packed(reader) {
	const numbers = [];
	const inner = reader.message();
	while (inner.hasMore()) numbers.push(inner.varint());
	return numbers;
}

/** @param {number} value */
const unzigzag = (value) => (value % 2 === 1 ? -(value + 1) / 2 : value / 2);

/** The layers of a tile; no bytes are a tile without layers. @param {Uint8Array} bytes @returns {TileLayer[]} @throws {TileError} */
export function decodeTile(bytes) {
	/** @type {TileLayer[]} */
	const layers = [];
	readFields(new Reader(bytes), { 3: (reader) => layers.push(readLayer(reader.message())) });
	return layers;
}

/** @param {Reader} reader @returns {TileLayer} */
function readLayer(reader) {
	let [name, extent] = ["", DEFAULT_EXTENT];
	/** @type {Reader[]} */
	const features = [];
	/** @type {string[]} */
	const keys = [];
	/** @type {(string | number | boolean)[]} */
	const values = [];
	readFields(reader, {
		1: (field) => {
			name = field.text();
		},
		2: (field) => features.push(field.message()),
		3: (field) => keys.push(field.text()),
		4: (field) => values.push(readValue(field.message())),
		5: (field) => {
			extent = field.varint();
		},
	});
	return { name, extent, features: features.flatMap((feature) => readFeature(feature, keys, values)) };
}

/** @param {Reader} reader @returns {string | number | boolean} */
function readValue(reader) {
	/** @type {string | number | boolean} */
	let value = "";
	const set = (/** @type {(field: Reader) => string | number | boolean} */ read) => (/** @type {Reader} */ field) => {
		value = read(field);
	};
	readFields(reader, {
		1: set((field) => field.text()),
		2: set((field) => field.fraction(4, "getFloat32")),
		3: set((field) => field.fraction(8, "getFloat64")),
		4: set((field) => field.varint()),
		5: set((field) => field.varint()),
		6: set((field) => unzigzag(field.varint())),
		7: set((field) => field.varint() !== 0),
	});
	return value;
}

/** @param {Reader} reader @param {string[]} keys @param {(string | number | boolean)[]} values @returns {TileFeature[]} none where it is no polygon */
function readFeature(reader, keys, values) {
	let [id, type] = [0, 0];
	/** @type {number[]} */
	let tags = [];
	/** @type {number[]} */
	let geometry = [];
	readFields(reader, {
		1: (field) => {
			id = field.varint();
		},
		2: (field) => {
			tags = packed(field);
		},
		3: (field) => {
			type = field.varint();
		},
		4: (field) => {
			geometry = packed(field);
		},
	});
	if (type !== POLYGON) return [];
	/** @type {TileFeature["properties"]} */
	const properties = {};
	for (let index = 0; index + 1 < tags.length; index += 2) {
		const [key, value] = [keys[tags[index]], values[tags[index + 1]]];
		if (key === undefined || value === undefined) throw new TileError("a property of the tile is not there");
		properties[key] = value;
	}
	return [{ id, properties, rings: readRings(geometry) }];
}

/** Rings of a polygon, by its commands (§4.3.3). @param {number[]} commands */
function readRings(commands) {
	/** @type {Int32Array[]} */
	const rings = [];
	/** @type {number[]} */
	let ring = [];
	let [x, y, at] = [0, 0, 0];
	while (at < commands.length) {
		const [command, count] = [commands[at] % 8, Math.floor(commands[at] / 8)];
		at += 1;
		if (command === CLOSE_PATH) {
			rings.push(Int32Array.from(ring));
			ring = [];
			continue;
		}
		if ((command !== MOVE_TO && command !== LINE_TO) || at + 2 * count > commands.length) {
			throw new TileError("an outline of the tile cannot be read");
		}
		for (let step = 0; step < count; step++, at += 2) {
			x += unzigzag(commands[at]);
			y += unzigzag(commands[at + 1]);
			ring.push(x, y);
		}
	}
	return rings;
}
