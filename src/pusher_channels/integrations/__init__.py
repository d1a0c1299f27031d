"""What connects the SDK to other libraries. Each module here needs the extra of its name."""
