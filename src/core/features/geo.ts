const earthRadiusKm = 6371.0088
const radians = Math.PI / 180

/**
 * Great-circle distance in kilometres between two points in WGS 84 degrees, by the haversine formula on the mean
 * Earth radius (R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984). Exact to about 0.5 %.
 */
export function distanceKm(
  latitude1: number,
  longitude1: number,
  latitude2: number,
  longitude2: number,
): number {
  const sinLatitude = Math.sin(((latitude2 - latitude1) * radians) / 2)
  const sinLongitude = Math.sin(((longitude2 - longitude1) * radians) / 2)
  const h =
    sinLatitude * sinLatitude +
    Math.cos(latitude1 * radians) * Math.cos(latitude2 * radians) * sinLongitude * sinLongitude
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(h)))
}
