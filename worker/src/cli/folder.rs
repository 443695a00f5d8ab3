//! A folder of files as a catalogue, for trying out.

use std::{error::Error, path::Path};

use fondaco_worker::config::DatasetConfig;

const ENDINGS: [&str; 6] = ["parquet", "arrow", "ipc", "feather", "csv", "tsv"];

/// One dataset per Parquet, Arrow or CSV file, or folder of such files, named by it.
///
/// # Errors
/// If the folder cannot be read, has none, or two have the same name.
pub fn datasets(folder: &Path) -> Result<Vec<DatasetConfig>, Box<dyn Error>> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
    let mut datasets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let parts = path.is_dir() && std::fs::read_dir(&path)?.any(|part| part.is_ok_and(|part| is_data(&part.path())));
        if !(parts || path.is_file() && is_data(&path)) {
            continue;
        }
        let name = if parts { path.file_name() } else { path.file_stem() };
        let name = name.and_then(|name| name.to_str()).ok_or("a file's name is not text")?;
        datasets.push(DatasetConfig::new(name, &path));
    }
    datasets.sort_by(|a, b| a.name.cmp(&b.name));
    if datasets.is_empty() {
        return Err(format!("{} has no .{} files", folder.display(), ENDINGS.join(", .")).into());
    }
    Ok(datasets)
}

fn is_data(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}
