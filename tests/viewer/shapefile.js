/** Shapefiles as bytes, written after ESRI's description of 1998, and their coordinate system as ArcGIS writes it. */

export const PRJ =
	'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]';

/** One polygon. @param {number[][][]} rings closed, the outer one clockwise */
export function shpOf(rings) {
	const points = rings.flat();
	const content = 44 + 4 * rings.length + 16 * points.length;
	const view = new DataView(new ArrayBuffer(108 + content));
	const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
	const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
	view.setInt32(0, 9994);
	view.setInt32(24, (108 + content) / 2);
	view.setInt32(28, 1000, true);
	view.setInt32(32, 5, true);
	for (const [index, edge] of box.entries()) view.setFloat64(36 + 8 * index, edge, true);
	view.setInt32(100, 1);
	view.setInt32(104, content / 2);
	view.setInt32(108, 5, true);
	for (const [index, edge] of box.entries()) view.setFloat64(112 + 8 * index, edge, true);
	view.setInt32(144, rings.length, true);
	view.setInt32(148, points.length, true);
	let first = 0;
	for (const [index, ring] of rings.entries()) {
		view.setInt32(152 + 4 * index, first, true);
		first += ring.length;
	}
	for (const [index, [x, y]] of points.entries()) {
		view.setFloat64(152 + 4 * rings.length + 16 * index, x, true);
		view.setFloat64(160 + 4 * rings.length + 16 * index, y, true);
	}
	return new Uint8Array(view.buffer);
}

/** The index of a shapefile with one shape. @param {Uint8Array} shp */
export function shxOf(shp) {
	const view = new DataView(new ArrayBuffer(108));
	new Uint8Array(view.buffer).set(shp.subarray(0, 100));
	view.setInt32(24, 54);
	view.setInt32(100, 50);
	view.setInt32(104, (shp.length - 108) / 2);
	return new Uint8Array(view.buffer);
}

/** A table with one column of words. @param {string} column @param {string[]} rows */
export function dbfOf(column, rows) {
	const width = 40;
	const bytes = new Uint8Array(65 + rows.length * (width + 1) + 1);
	const view = new DataView(bytes.buffer);
	const write = (/** @type {string} */ words, /** @type {number} */ at) =>
		bytes.set(new TextEncoder().encode(words), at);
	bytes[0] = 3;
	view.setInt32(4, rows.length, true);
	view.setInt16(8, 65, true);
	view.setInt16(10, width + 1, true);
	write(column, 32);
	write("C", 43);
	bytes[48] = width;
	bytes[64] = 0x0d;
	for (const [index, row] of rows.entries()) write(` ${row.padEnd(width - 2)}`, 65 + index * (width + 1));
	bytes[bytes.length - 1] = 0x1a;
	return bytes;
}
