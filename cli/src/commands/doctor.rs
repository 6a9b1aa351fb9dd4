//! `s3log doctor`: which configuration file, credentials, region and endpoint are used, and whether they work.

use arrow::array::ArrayRef;
use s3log_engine::store::{Location, Probe, Setting, Stores};

use super::Surroundings;
use crate::args::DoctorArgs;
use crate::config::Configuration;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Shape, batch, texts};

/// Prints the settings with their origins, then tries them on the bucket.
///
/// # Errors
///
/// When configuration files cannot be read, or the settings do not work. In the latter case the table is printed
/// nevertheless.
pub(crate) async fn run(
    arguments: DoctorArgs,
    surroundings: Surroundings,
    configuration: Configuration,
) -> Result<Exit, Failure> {
    let location = arguments.source.as_deref().map(Location::parse).transpose()?;
    let mut output = Output::open(arguments.output.destination.file(), surroundings.output(&arguments.output))?;
    let stores = Stores::new(arguments.store.options());
    let found = stores.configuration().await?;
    let file = configuration.place.file.as_deref();
    let file = file.map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    let row = |name: &str, setting: &Setting| {
        (name.to_owned(), setting.value.clone(), configuration.origin(setting.origin).to_owned())
    };
    let mut rows =
        vec![("configuration".to_owned(), file, configuration.place.origin.clone()), row("profile", &found.profile)];
    let mut problem: Option<Failure> = None;
    match &found.credentials {
        Ok(setting) => rows.push(row("credentials", setting)),
        Err(why) => {
            rows.push(("credentials".to_owned(), "not found".to_owned(), "AWS's chain of providers".to_owned()));
            problem = Some(Failure::failed(why.clone()).with_hint(
                "set up credentials with `aws configure` or `aws sso login`, or pass --no-sign-request for a public bucket",
            ));
        }
    }
    rows.push(row("region", &found.region));
    rows.push(row("endpoint", &found.endpoint));
    rows.push(row("addressing", &found.addressing));
    if let Some(location) = location.filter(|_| problem.is_none()) {
        let Probe { listed, read } = stores.probe(&location).await;
        for (what, outcome) in [("list", Some(listed)), ("read", read)] {
            match outcome {
                Some(Ok(found)) => rows.push((what.to_owned(), "works".to_owned(), found)),
                Some(Err(error)) => {
                    rows.push((what.to_owned(), "fails".to_owned(), location.to_string()));
                    problem = Some(Failure::from(error));
                }
                None => {}
            }
        }
    }
    let column = |of: fn(&(String, String, String)) -> &str| -> ArrayRef { texts(rows.iter().map(of)) };
    let batch =
        batch([("setting", column(|row| &row.0)), ("value", column(|row| &row.1)), ("from", column(|row| &row.2))])?;
    output.print(Shape::Prose, &batch)?;
    output.commit()?;
    problem.map_or(Ok(Exit::Done), Err)
}
