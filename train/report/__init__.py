"""What runs leave to look at: tables, figures, JSON, hardware."""
