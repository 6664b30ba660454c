/**
 * Cubes on a MapLibre map (6), flat or on the globe: a custom layer that goes through time without requests to the
 * server, and returns the values at points. It draws the canvas of each tile as a texture, and does not import
 * MapLibre.
 *
 * @typedef {import("./loader.js").Tile} Tile
 * @typedef {import("./painter.js").Cell} Cell
 * @typedef {import("./source.js").Place} Place
 * @typedef {import("./source.js").Sample} Sample
 * @typedef {{ wrap: number, canonical: Tile }} TileId `wrap` counts the worlds to the east of the first one
 * @typedef {{
 *   coveringTiles: (options: { tileSize: number, roundZoom: boolean, minzoom: number, maxzoom: number }) => TileId[],
 *   getCenter: () => { lng: number, lat: number }, triggerRepaint: () => void,
 * }} MapLibreMap the used part of `maplibregl.Map`
 * @typedef {{
 *   shaderData: { variantName: string, vertexShaderPrelude: string, define: string },
 *   getProjectionData: (of: { tileID: TileId, aligned: boolean, applyGlobeMatrix: boolean }) => Projection,
 * }} RenderInput
 * @typedef {{
 *   mainMatrix: Iterable<number>, fallbackMatrix: Iterable<number>, tileMercatorCoords: Iterable<number>,
 *   clippingPlane: Iterable<number>, projectionTransition: number,
 * }} Projection
 * @typedef {{
 *   id: string, source: import("./source.js").CubeSource, tableOf: import("./painter.js").TableOf, opacity?: number,
 *   minZoom?: number, maxNativeZoom?: number, covers?: (tile: Tile) => boolean,
 *   onProgress?: (progress: import("./painter.js").Progress) => void, onPaint?: () => void, onLoad?: () => void,
 * }} CubeOptions `id` is that of the layer in the style; `maxNativeZoom` is the last zoom with tiles, beyond it their
 *   cells are drawn larger; `covers` returns whether the layer has data in a tile
 * @typedef {ReturnType<typeof makeCubeLayer>} CubeLayer
 */
import { LaidTiles } from "./laid-tiles.js";
import { CubePainter, TILE_PX } from "./painter.js";
import { distanceOf } from "./source.js";

const MOST_ZOOM = 30;
/** Coordinates of a tile's far edge in MapLibre's shaders. */
const EXTENT = 8192;
/** Squares on each side of a tile, which bend with the globe. */
const SQUARES = 16;
/** Vertices of the two triangles of each square. */
const CORNERS = SQUARES * SQUARES * 6;

const FRAGMENT_SHADER = `#version 300 es
precision mediump float;
uniform sampler2D u_tile;
uniform float u_opacity;
in vec2 v_place;
out vec4 colour;
void main() { colour = texture(u_tile, v_place) * u_opacity; }`;

/** @param {RenderInput["shaderData"]} shaderData */
const vertexShader = ({ vertexShaderPrelude, define }) => `#version 300 es
${vertexShaderPrelude}
${define}
const ivec2 CORNERS[6] = ivec2[6](ivec2(0, 0), ivec2(1, 0), ivec2(0, 1), ivec2(0, 1), ivec2(1, 0), ivec2(1, 1));
out vec2 v_place;
void main() {
	int square = gl_VertexID / 6;
	ivec2 corner = ivec2(square % ${SQUARES}, square / ${SQUARES}) + CORNERS[gl_VertexID % 6];
	v_place = vec2(corner) / ${SQUARES}.0;
	gl_Position = projectTile(v_place * ${EXTENT}.0);
}`;

/** @param {WebGL2RenderingContext} gl @param {number} type @param {string} source */
function compile(gl, type, source) {
	const shader = /** @type {WebGLShader} */ (gl.createShader(type));
	gl.shaderSource(shader, source);
	gl.compileShader(shader);
	return shader;
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {RenderInput["shaderData"]} shaderData
 * @throws {Error} the graphics driver refuses the shaders
 */
function makeProgram(gl, shaderData) {
	const program = /** @type {WebGLProgram} */ (gl.createProgram());
	const shaders = [
		compile(gl, gl.VERTEX_SHADER, vertexShader(shaderData)),
		compile(gl, gl.FRAGMENT_SHADER, FRAGMENT_SHADER),
	];
	for (const shader of shaders) gl.attachShader(program, shader);
	gl.linkProgram(program);
	if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
		const why = [...shaders.map((shader) => gl.getShaderInfoLog(shader)), gl.getProgramInfoLog(program)];
		throw new Error(`the cube layer cannot be drawn: ${why.join(" ").trim()}`);
	}
	for (const shader of shaders) gl.deleteShader(shader);
	return program;
}

/** Objects on the graphics card: one program per projection, one texture per tile. */
class Drawing {
	/** @type {Map<string, WebGLProgram>} */
	#programs = new Map();
	/** @type {Map<Cell, { texture: WebGLTexture, of: Cell["painted"] }>} */
	#textures = new Map();

	/** @param {WebGL2RenderingContext} gl */
	constructor(gl) {
		this.gl = gl;
		// The shader computes vertices from their numbers: there is no array to read.
		this.noArrays = gl.createVertexArray();
	}

	/** Prepares for tiles. @param {RenderInput["shaderData"]} shaderData @param {number} opacity */
	start(shaderData, opacity) {
		const { gl } = this;
		const program = this.#programs.get(shaderData.variantName) ?? makeProgram(gl, shaderData);
		this.#programs.set(shaderData.variantName, program);
		gl.useProgram(program);
		gl.bindVertexArray(this.noArrays);
		gl.activeTexture(gl.TEXTURE0);
		gl.uniform1i(gl.getUniformLocation(program, "u_tile"), 0);
		gl.uniform1f(gl.getUniformLocation(program, "u_opacity"), opacity);
		return program;
	}

	/** @param {WebGLProgram} program @param {Cell} cell @param {Projection} projection */
	drawTile(program, cell, projection) {
		const { gl } = this;
		const at = (/** @type {string} */ name) => gl.getUniformLocation(program, `u_projection_${name}`);
		this.#bindTexture(cell);
		gl.uniformMatrix4fv(at("matrix"), false, Float32Array.from(projection.mainMatrix));
		gl.uniformMatrix4fv(at("fallback_matrix"), false, Float32Array.from(projection.fallbackMatrix));
		gl.uniform4fv(at("tile_mercator_coords"), [...projection.tileMercatorCoords]);
		gl.uniform4fv(at("clipping_plane"), [...projection.clippingPlane]);
		gl.uniform1f(at("transition"), projection.projectionTransition);
		gl.drawArrays(gl.TRIANGLES, 0, CORNERS);
	}

	/** Binds the canvas of a tile as a texture; it is copied again only after it was painted. @param {Cell} cell */
	#bindTexture(cell) {
		const { gl } = this;
		const uploaded = this.#textures.get(cell);
		const texture = uploaded?.texture ?? /** @type {WebGLTexture} */ (gl.createTexture());
		gl.bindTexture(gl.TEXTURE_2D, texture);
		if (uploaded?.of === cell.painted) return;
		gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
		gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
		gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, cell.canvas);
		for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
			gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
		for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, wrap, gl.CLAMP_TO_EDGE);
		this.#textures.set(cell, { texture, of: cell.painted });
	}

	/** @param {Cell} cell that is not shown any more */
	forget(cell) {
		const oldTexture = this.#textures.get(cell);
		if (oldTexture) this.gl.deleteTexture(oldTexture.texture);
		this.#textures.delete(cell);
	}

	close() {
		const { gl } = this;
		for (const cell of [...this.#textures.keys()]) this.forget(cell);
		for (const program of this.#programs.values()) gl.deleteProgram(program);
		gl.deleteVertexArray(this.noArrays);
	}
}

/**
 * Makes a layer for `map.addLayer`.
 * @param {CubeOptions} options
 */
export function makeCubeLayer(options) {
	const { id, source, minZoom = 0, covers = () => true } = options;
	/** @type {MapLibreMap | null} */
	let map = null;
	/** @type {Drawing | null} */
	let drawing = null;
	let opacity = options.opacity ?? 1;
	const onPaint = () => {
		map?.triggerRepaint();
		options.onPaint?.();
	};
	const painter = new CubePainter({ ...options, onPaint });
	const tiles = new LaidTiles(painter, (cell) => drawing?.forget(cell));

	return {
		id,
		type: /** @type {const} */ ("custom"),
		renderingMode: /** @type {const} */ ("2d"),
		painter,

		/**
		 * Called again after the graphics context was lost, when MapLibre drops its custom layers.
		 * @param {MapLibreMap} onto
		 */
		onAdd(onto) {
			[map, drawing] = [onto, null];
		},

		onRemove() {
			tiles.lay([]);
			drawing?.close();
			[map, drawing] = [null, null];
		},

		/** @param {WebGL2RenderingContext} gl @param {RenderInput} input */
		render(gl, { shaderData, getProjectionData }) {
			if (!map || gl.isContextLost()) return;
			const cover = { tileSize: TILE_PX, roundZoom: true, minzoom: minZoom, maxzoom: MOST_ZOOM };
			const seats = map.coveringTiles(cover).filter(({ canonical }) => covers(canonical));
			const { lng: lon, lat } = map.getCenter();
			tiles.lay(seats.map(({ canonical: tile }) => ({ tile, order: distanceOf(tile, { lon, lat }) })));
			drawing ??= new Drawing(gl);
			const program = drawing.start(shaderData, opacity);
			for (const tileID of seats) {
				const cell = tiles.cellOf(tileID.canonical);
				if (!cell?.isShown) continue;
				drawing.drawTile(program, cell, getProjectionData({ tileID, aligned: true, applyGlobeMatrix: true }));
			}
			gl.bindVertexArray(null);
		},

		/** @param {number} to 0 to 1 */
		setOpacity(to) {
			opacity = to;
			map?.triggerRepaint();
		},

		/**
		 * Returns the value at a point and a date; null if it is not loaded.
		 * @param {Place} place
		 * @param {number} index
		 * @returns {Sample | null}
		 */
		sample(place, index) {
			for (const zoom of tiles.zooms) {
				const sample = source.sample(place, zoom, index);
				if (sample) return sample;
			}
			return null;
		},
	};
}
