"""What every Gyre service shares: events, delivery, RPC, telemetry, stores."""
