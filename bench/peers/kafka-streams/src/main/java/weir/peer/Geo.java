package weir.peer;

final class Geo {
  private static final double EARTH_RADIUS_KM = 6371.0088;
  private static final double RADIANS = Math.PI / 180;

  private Geo() {}

  /** Great circle by the haversine formula, in the order of operations of src/core/features/geo.ts. */
  static double distanceKm(double lat1, double lon1, double lat2, double lon2) {
    double sinLatitude = Math.sin((lat2 - lat1) * RADIANS / 2);
    double sinLongitude = Math.sin((lon2 - lon1) * RADIANS / 2);
    double h =
        sinLatitude * sinLatitude
            + Math.cos(lat1 * RADIANS) * Math.cos(lat2 * RADIANS) * sinLongitude * sinLongitude;
    return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)));
  }
}
