"""Land, lake and sky of photo.jpg: a height field, seen by a pinhole camera."""

import numpy as np

from light import Array, mix, noise_tile, rgb, sample, step

OVER = 1.5  # rendered this much larger, then reduced, for anti-aliasing
WIDTH, HEIGHT = int(1200 * OVER), int(800 * OVER)
FOCAL = 1150 * OVER  # pixels: a 35 mm lens on a full frame
HORIZON = 416 * OVER  # row of the horizon, pixels; the lens is shifted, not tilted
CAMERA_HEIGHT = 8.0  # meters above the lake
SUN = rgb(-0.27, 0.155, 1.0) / np.linalg.norm(rgb(-0.27, 0.155, 1.0))
SUNLIGHT = rgb(1.0, 0.66, 0.36) * 5.0
SKYLIGHT = rgb(0.42, 0.52, 0.70) * 0.9


class Landscape:
    """A fjord in the evening: height field, forest, sky and water."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw the noise that shapes everything."""
        self.rng = rng
        self.rough = noise_tile(rng, 2.0)
        self.cloud = noise_tile(rng, 1.75)
        self.fine = noise_tile(rng, 1.1)
        self.bark = noise_tile(rng, 1.7)
        self.wave = noise_tile(rng, 1.3)
        self.forest = self.plant(512, 520)

    def plant(self, size: int, trees: int) -> Array:
        """Return a periodic tile of 96 × 96 m: the heights of cone-shaped conifers, in meters."""
        tile = np.zeros((size, size))
        texel = 96 / size
        for _ in range(trees):
            tall = self.rng.uniform(7, 19)
            radius = tall * self.rng.uniform(0.16, 0.22)
            reach = int(radius / texel) + 1
            grid = np.arange(-reach, reach + 1)
            cone = tall * (1 - np.hypot(grid[:, None], grid) * texel / radius)
            at = np.ix_(*((grid + self.rng.integers(size)) % size for _ in range(2)))
            tile[at] = np.maximum(tile[at], cone)
        return tile

    def ground(self, x: Array, z: Array) -> Array:
        """Return the height of the bare ground above the lake, in meters."""
        broad = sample(self.rough, x / 9000 + 0.31, z / 9000 + 0.12)
        crest = 1.0 - np.abs(sample(self.rough, x / 21000 + 0.6, z / 14000 + 0.25))
        detail = sample(self.rough, x / 2600, z / 2600)
        near = sample(self.rough, x / 300, z / 300)
        # far mountains, wooded hills in front of them, and the cape with the lighthouse
        far = step(3500, 9000, z) * (620 * crest + 160 * broad + 75 * detail + 330)
        wooded = step(900, 2400, z + 0.55 * np.abs(x + 150)) * (85 + 60 * broad + 38 * detail)
        cape = np.exp(-(((x - 38) / 24) ** 4) - ((z - 116) / 19) ** 2)
        return far + wooded + 9.5 * cape + near * (0.8 + 1.4 * cape) - 4.2

    def surface(self, x: Array, z: Array) -> tuple[Array, Array]:
        """Return the height including trees, in meters, and the share of forest, 0..1."""
        bare = self.ground(x, z)
        patchy = sample(self.cloud, x / 1700, z / 1700)
        wood = step(2.5, 9, bare) * step(620, 330, bare + 90 * patchy) * step(400, 700, z)
        wood = wood * step(-1.5, -0.9, patchy)
        warp = 9 * sample(self.rough, x / 700, z / 700)
        trees = sample(self.forest, (x + warp) / 96, (z - warp) / 96)
        rock = sample(self.bark, x / 24, z / 24) * 0.5 * step(0, 3, bare) * step(400, 200, z)
        return bare + wood * trees / (1 + (z / 1700) ** 3) + rock, wood

    def sky(self, across: Array, up: Array) -> Array:
        """Return the radiance [..., 3] from the directions (across, up, 1)."""
        length = np.sqrt(across**2 + up**2 + 1)
        rise = np.maximum(up, 0) / length
        toward = (across * SUN[0] + up * SUN[1] + SUN[2]) / length
        # haze around the sun, a Henyey-Greenstein lobe; the bright ring close to it; its disk
        haze = 0.036 / (1.36 - 1.2 * toward) ** 1.5
        aureole = 0.006 / (1.0015 - toward) + 40 * step(0.99990, 0.99994, toward)
        clear = mix(rgb(0.86, 0.61, 0.36), rgb(0.045, 0.185, 0.46), 1 - np.exp(-8.5 * rise))
        clear = clear + (haze + aureole)[..., None] * rgb(1.0, 0.66, 0.36)
        # clouds on a plane overhead; the offset keeps them from piling up at the horizon
        above = np.maximum(up, 0) + 0.06
        px, pz = across / above / 40, 1 / above / 26
        bend = 0.018 * sample(self.cloud, px * 2, pz * 2)
        cloud = self.cover(px + bend, pz - bend)
        lit = np.exp(-1.5 * self.cover(px + bend - 0.006, pz - bend + 0.012))
        edge = 0.50 + 1.3 * haze + 2.2 * aureole
        bright = edge[..., None] * rgb(1.30, 0.92, 0.66)
        color = mix(rgb(0.24, 0.25, 0.31) * (0.8 + haze[..., None]), bright, lit)
        veil = (1 - np.exp(-1.9 * cloud)) * step(0.0, 0.10, up)
        return mix(clear, color, veil)

    def cover(self, x: Array, z: Array) -> Array:
        """Return the thickness of the clouds at places of their plane, at least 0."""
        wisps = 0.22 * sample(self.cloud, x * 5.0, z * 5.0)
        return np.maximum(sample(self.cloud, x + 0.37, z + 0.21) + wisps + 0.05, 0) * 1.8

    def cast(self, camera: float, across: Array, up: Array, nearest: float) -> Array:
        """Return the distance z to the land in meters for each ray [rows, columns]; inf for sky.

        Each column of the picture is a vertical plane. The running maximum of the land's slope, as
        the camera sees it, never falls along the plane, so bisection finds the first distance at
        which it reaches the slope of a ray.
        """
        z = np.geomspace(nearest, 26000, 1900)
        height, _ = self.surface(across * z[:, None], z[:, None] + 0 * across)
        dry = height > 0
        # seen from above, the lake hides the land under it; from below, it is transparent
        height = np.where(dry, height, 0.0 if camera > 0 else -np.inf)
        slope = np.maximum.accumulate((height - camera) / z[:, None], axis=0)
        reach = np.vstack([np.where(dry, z[:, None], np.inf), np.full(len(across), np.inf)])
        found = [reach[np.searchsorted(slope[:, i], up), i] for i in range(len(across))]
        return np.stack(found, axis=1)

    def view(self, camera: float, up: Array, nearest: float = 75) -> tuple[Array, Array]:
        """Return the radiance [rows, columns, 3] of sky and land, and the distance to the land.

        `camera` is its height above the lake in meters; below 0 it sees what the lake reflects.
        Land nearer than `nearest` meters is not drawn.
        """
        across: Array = (np.arange(WIDTH, dtype=float) + 0.5 - WIDTH / 2) / FOCAL
        z = self.cast(camera, across, up, nearest)
        picture = self.sky(across + 0 * up[:, None], up[:, None] + 0 * across)
        land = np.isfinite(z)
        rows, columns = np.nonzero(land)
        depth = z[land]
        color = self.shade(across[columns] * depth, depth)
        # aerial perspective: air absorbs light and adds its own, most of all near the ground
        air = self.sky(across[columns], np.full(len(rows), 0.012)) * rgb(0.74, 0.84, 1.0)
        height = np.maximum(camera + up[rows] * depth, 0)
        thick = depth / 13000 * (0.6 + 0.8 * np.exp(-height / 110))
        picture[land] = mix(air, color, np.exp(-thick))
        return picture, z

    def shade(self, x: Array, z: Array) -> Array:
        """Return the radiance [n, 3] of the land at x, z."""
        gap = np.maximum(z / FOCAL, 0.15)  # one pixel: finer slopes would alias
        here, wood = self.surface(x, z)
        slope_x = (self.surface(x + gap, z)[0] - here) / gap
        slope_z = (self.surface(x, z + gap)[0] - here) / gap
        norm = np.sqrt(slope_x**2 + slope_z**2 + 1)
        facing = (SUN[1] - slope_x * SUN[0] - slope_z * SUN[2]) / norm
        clear = np.ones_like(x)
        # soft shadow: how closely a ray to the sun passes the land
        for away in np.geomspace(12, 2500, 14):
            over = here + away * SUN[1] - self.ground(x + away * SUN[0], z + away * SUN[2])
            clear = np.minimum(clear, np.clip(0.5 + over / away * 14, 0, 1))
        mottle = sample(self.fine, x / 60, z / 60)
        grass = mix(rgb(0.10, 0.115, 0.035), rgb(0.22, 0.17, 0.07), step(-1, 1, mottle))
        stone = rgb(0.12, 0.11, 0.10) * (1 + 0.25 * mottle[:, None])
        ground = mix(grass, stone, np.maximum(step(0.55, 1.1, norm - 0.75), step(3.2, 1.2, here)))
        ground = mix(
            ground,
            rgb(0.80, 0.82, 0.86),
            step(720, 900, here + 90 * sample(self.rough, x / 900, z / 900)),
        )
        ground = ground * (1 - 0.6 * step(0.9, 0.1, here))[:, None]  # the shore is wet
        leaves = rgb(0.030, 0.046, 0.018) * (1 + 0.3 * mottle[:, None])
        albedo = mix(ground, leaves, wood)
        light = SUNLIGHT * (clear * np.maximum(0.85 * facing + 0.15 * wood, 0))[:, None]
        shown: Array = albedo * (light + SKYLIGHT * (0.55 + 0.45 / norm)[:, None])
        return shown

    def water(self, picture: Array, mirror: Array, up: Array, z: Array) -> None:
        """Draw the lake into picture; mirror is the view from below, which the lake reflects."""
        first = int(np.searchsorted(-up, 1e-4))
        down = -up[first:, None]
        across: Array = (np.arange(WIDTH, dtype=float) + 0.5 - WIDTH / 2) / FOCAL
        away = CAMERA_HEIGHT / down
        x = across * away
        gust = 0.35 + 1.1 * step(-0.4, 1.6, sample(self.cloud, x / 500, away / 160 + 0 * x))
        rows, columns = np.arange(len(down))[:, None], np.arange(WIDTH)
        total = np.zeros((len(down), WIDTH, 3))
        for k in range(6):  # several facets per pixel: distant ripples are smaller than one
            j = 0.13 * k
            pitch = sample(self.wave, x / 38 + j, away / 17 + j * away / 120)
            pitch += 0.6 * sample(self.wave, x / 9 + j, away / 4.5 + 2 * j)
            roll = sample(self.wave, x / 30 + j + 0.5, away / 20)
            fall = 0.013 * gust * pitch  # slope of the facet, in radians
            r = np.abs(rows + (2 * fall + 0.004 * gust) * FOCAL).astype(int)
            c = np.clip(columns + 0.006 * gust * roll * FOCAL, 0, WIDTH - 1).astype(int)
            total += mirror[np.minimum(r, len(mirror) - 1), c] / 6
        fresnel = 0.02 + 0.98 * (1 - np.clip(down / np.sqrt(1 + down**2), 0, 1)) ** 5
        fresnel = np.clip(fresnel, 0, 0.92) + 0 * x
        lake = mix(rgb(0.012, 0.035, 0.045), total, fresnel)
        wet = ~np.isfinite(z[first:])
        picture[first:][wet] = lake[wet]
