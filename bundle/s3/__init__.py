"""Object storage that speaks S3: one bucket, few verbs, every answer doubted."""
