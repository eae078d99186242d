"""When and in what order: one Prefect flow a file, each a thin shell around a plain function."""
