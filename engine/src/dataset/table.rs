//! A dataset as a table: the files in its ledger, no others.

use super::ledger::State;
use super::place::Place;
use super::record::DataFile;
use super::store::DatasetStore;
use crate::error::Error;
use crate::scan::TimeRange;
use crate::schema::{LogsColumn, Table, TextLayout, UTC};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result as DataFusionResult, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::{CaseExpr, Column, IsNotNullExpr};
use datafusion::physical_expr::utils::reassign_expr_columns;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use object_store::ObjectMeta;
use object_store::path::Path as StorePath;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use std::sync::Arc;

/// A table over the committed files of a dataset, at one moment of its ledger.
#[derive(Debug)]
pub(crate) struct DatasetTable {
    table: Table,
    schema: SchemaRef,
    files: Vec<DataFile>,
    store: Arc<DatasetStore>,
    url: ObjectStoreUrl,
    times: TimeRange,
}

impl DatasetTable {
    /// The records of a dataset.
    pub(crate) fn of_records(table: Table, place: &Place, state: &State, layout: TextLayout) -> Result<Self, Error> {
        Self::of(table, place, state.files.values().cloned().collect(), layout)
    }

    /// The table that the files contain.
    pub(crate) fn table(&self) -> Table {
        self.table
    }

    /// Restricts the table to records of these times.
    pub(crate) fn with_times(self, times: TimeRange) -> Self {
        Self { times, ..self }
    }

    /// Rejects in one of the places that a dataset has for them.
    pub(crate) fn of_rejects(place: &Place, files: Vec<DataFile>, layout: TextLayout) -> Result<Self, Error> {
        Self::of(Table::Rejects, place, files, layout)
    }

    fn of(table: Table, place: &Place, files: Vec<DataFile>, layout: TextLayout) -> Result<Self, Error> {
        let url = ObjectStoreUrl::parse(DatasetStore::url(&place.name()))
            .map_err(|error| Error::invalid("a dataset has no URL").with_source(error))?;
        let store = Arc::new(DatasetStore::new(place));
        Ok(Self { table, schema: table.schema(layout), files, store, url, times: TimeRange::default() })
    }

    /// Scans some of the files. With `sorted`, each file is a partition sorted by time; otherwise files are split over
    /// the target partitions.
    pub(crate) fn scan_files(
        &self,
        state: &dyn Session,
        files: Vec<DataFile>,
        projection: Option<Vec<usize>>,
        limit: Option<usize>,
        sorted: bool,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        state.runtime_env().register_object_store(self.url.as_ref(), Arc::clone(&self.store) as _);
        let mut groups: Vec<FileGroup> = match sorted {
            true => files.iter().map(|file| FileGroup::new(vec![self.partitioned_file(file)])).collect(),
            false => FileGroup::new(files.iter().map(|file| self.partitioned_file(file)).collect())
                .split_files(state.config().target_partitions()),
        };
        // Operators that require a single partition do not coalesce zero partitions into one.
        if groups.is_empty() {
            groups.push(FileGroup::default());
        }
        let source = ParquetSource::new(TableSchema::from(Arc::clone(&self.schema)))
            .with_table_parquet_options(state.table_options().parquet.clone())
            .with_pushdown_filters(true);
        let mut config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(self.statistics(&files))
            .with_projection_indices(projection)?
            .with_limit(limit);
        if sorted {
            let time = Column::new_with_schema("time", &self.schema)?;
            let ascending = PhysicalSortExpr::new_default(Arc::new(time));
            config = config.with_output_ordering(LexOrdering::new(vec![ascending]).into_iter().collect());
        }
        Ok(DataSourceExec::from_data_source(config.build()))
    }

    /// Reads the metadata of a file from its footer.
    pub(crate) fn footer(
        &self,
        file: &DataFile,
    ) -> impl Future<Output = DataFusionResult<Arc<ParquetMetaData>>> + Send + use<> {
        let (store, meta) = (Arc::clone(&self.store), object_meta(file));
        async move {
            let reader = DFParquetMetadata::new(&*store, &meta).with_metadata_size_hint(Some(FOOTER));
            reader.with_page_index_policy(Some(PageIndexPolicy::Skip)).fetch_metadata().await
        }
    }

    fn partitioned_file(&self, file: &DataFile) -> PartitionedFile {
        let statistics = self.statistics(std::slice::from_ref(file));
        PartitionedFile::new_from_meta(object_meta(file)).with_statistics(Arc::new(statistics))
    }

    /// Statistics from the ledger: exact row counts and bounds of `time`.
    fn statistics(&self, files: &[DataFile]) -> Statistics {
        let micros = |micros| ScalarValue::TimestampMicrosecond(Some(micros), Some(UTC.into()));
        let first = files.iter().map(|file| file.min_time).min();
        let last = files.iter().map(|file| file.max_time).max();
        let column = |name: &str| match (self.table, name, first, last) {
            (table, "time", Some(first), Some(last)) if table.has_time() => ColumnStatistics {
                null_count: Precision::Exact(0),
                min_value: Precision::Exact(micros(first)),
                max_value: Precision::Exact(micros(last)),
                ..ColumnStatistics::new_unknown()
            },
            _ => ColumnStatistics::new_unknown(),
        };
        Statistics {
            num_rows: Precision::Exact(files.iter().map(|file| file.rows as usize).sum()),
            total_byte_size: Precision::Inexact(files.iter().map(|file| file.bytes as usize).sum()),
            column_statistics: self.schema.fields().iter().map(|field| column(field.name())).collect(),
        }
    }

    /// Computes `object_key`, which is only stored where it differs from `key`.
    fn object_key_and(
        &self,
        scan: Arc<dyn ExecutionPlan>,
        wanted: &[usize],
        scanned: &[usize],
        object_key: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let schema = scan.schema();
        let at = |column: usize| -> DataFusionResult<Arc<dyn PhysicalExpr>> {
            let position = scanned.iter().position(|scanned| *scanned == column).unwrap_or_default();
            Ok(Arc::new(Column::new(schema.field(position).name(), position)))
        };
        let expressions = wanted.iter().map(|column| {
            let name = self.schema.field(*column).name().clone();
            let value = match object_key.filter(|object_key| column == object_key) {
                Some(object_key) => {
                    let (key, _) = key_columns(&self.schema)?;
                    let stored = at(object_key)?;
                    let differs: Arc<dyn PhysicalExpr> = Arc::new(IsNotNullExpr::new(Arc::clone(&stored)));
                    Arc::new(CaseExpr::try_new(None, vec![(differs, stored)], Some(at(key)?))?) as Arc<dyn PhysicalExpr>
                }
                None => at(*column)?,
            };
            Ok((value, name))
        });
        let expressions = expressions.collect::<DataFusionResult<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(expressions, scan)?))
    }
}

/// Bytes to read at the end of a file for its footer. A larger one takes a second request.
const FOOTER: usize = 64 << 10;

fn object_meta(file: &DataFile) -> ObjectMeta {
    let location = StorePath::parse(&file.path).unwrap_or_else(|_| StorePath::from(file.path.as_str()));
    ObjectMeta { location, last_modified: Default::default(), size: file.bytes, e_tag: None, version: None }
}

fn key_columns(schema: &SchemaRef) -> DataFusionResult<(usize, usize)> {
    Ok((schema.index_of("key")?, schema.index_of(LogsColumn::ObjectKey.name())?))
}

#[async_trait]
impl TableProvider for DatasetTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        if self.table == Table::Rejects {
            return self.scan_files(state, self.files.clone(), projection.cloned(), limit, false);
        }
        let times = self.times.possible(state, &self.schema, filters)?;
        // The ledger has the times of each file: others are not even opened.
        let files = self.files.iter().filter(|file| times.touches(file.min_time, file.max_time)).cloned().collect();
        let every: Vec<usize> = (0..self.schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&every);
        // The stored `object_key` of `logs` has to be combined with `key`.
        let keys = match self.table {
            Table::Logs => Some(key_columns(&self.schema)?).filter(|(_, object_key)| wanted.contains(object_key)),
            _ => None,
        };
        let mut needed: Vec<usize> = keys.iter().map(|(key, _)| *key).collect();
        let filter = self.times.predicate(&self.schema)?;
        if filter.is_some() {
            needed.push(self.schema.index_of("time")?);
        }
        let mut scanned = wanted.clone();
        needed.retain(|column| !wanted.contains(column));
        scanned.extend(needed);
        let limit = limit.filter(|_| filter.is_none());
        let mut plan = self.scan_files(state, files, Some(scanned.clone()), limit, false)?;
        if let Some(filter) = filter {
            let filter = reassign_expr_columns(filter, &plan.schema())?;
            plan = Arc::new(FilterExec::try_new(filter, plan)?);
        }
        match scanned == *wanted && keys.is_none() {
            true => Ok(plan),
            false => self.object_key_and(plan, wanted, &scanned, keys.map(|(_, object_key)| object_key)),
        }
    }

    /// Inexact: the Parquet scan also applies the filters, but only once the physical plan is optimised.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}
