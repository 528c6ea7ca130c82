"""What proves and protects: signed receipts, the audit log, encryption."""
