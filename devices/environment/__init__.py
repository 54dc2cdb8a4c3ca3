"""What environment observations mean: VN_AQI, limits, noise, flood, rain, wind. Pure numpy; tables as dated data."""
