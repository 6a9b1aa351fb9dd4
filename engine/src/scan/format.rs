//! File format for DataFusion's own listing tables.
//!
//! The tables of this crate do not use it: they do their own listing. It is meant for a `ListingTable` over logs with
//! partition columns from paths (`day=2026-01-15/…`).

use super::source::S3LogSource;
use crate::schema::{Table, TextLayout};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{GetExt, Result as DataFusionResult, Statistics};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use datafusion::datasource::physical_plan::{FileScanConfig, FileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_plan::ExecutionPlan;
use object_store::{ObjectMeta, ObjectStore};
use std::collections::HashMap;
use std::sync::Arc;

/// S3 server access logs as a file format, with the schema of table `logs`.
#[derive(Clone, Copy, Debug, Default)]
pub struct S3LogFormat {
    layout: TextLayout,
}

impl S3LogFormat {
    /// Creates the format with the given text layout.
    #[must_use]
    pub fn new(layout: TextLayout) -> Self {
        Self { layout }
    }
}

#[async_trait]
impl FileFormat for S3LogFormat {
    /// Log objects have no extension.
    fn get_ext(&self) -> String {
        String::new()
    }

    fn get_ext_with_compression(&self, _compression: &FileCompressionType) -> DataFusionResult<String> {
        Ok(String::new())
    }

    /// Detected for each object from its content.
    fn compression_type(&self) -> Option<FileCompressionType> {
        None
    }

    async fn infer_schema(
        &self,
        _state: &dyn Session,
        _store: &Arc<dyn ObjectStore>,
        _objects: &[ObjectMeta],
    ) -> DataFusionResult<SchemaRef> {
        Ok(Table::Logs.schema(self.layout))
    }

    async fn infer_stats(
        &self,
        _state: &dyn Session,
        _store: &Arc<dyn ObjectStore>,
        table_schema: SchemaRef,
        _object: &ObjectMeta,
    ) -> DataFusionResult<Statistics> {
        Ok(Statistics::new_unknown(&table_schema))
    }

    async fn create_physical_plan(
        &self,
        _state: &dyn Session,
        config: FileScanConfig,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(DataSourceExec::from_data_source(config))
    }

    fn file_source(&self, table_schema: TableSchema) -> Arc<dyn FileSource> {
        Arc::new(S3LogSource::new(Table::Logs, table_schema))
    }
}

/// Factory for [`S3LogFormat`]; register it with `SessionState::register_file_format`.
#[derive(Debug, Default)]
pub struct S3LogFormatFactory;

impl GetExt for S3LogFormatFactory {
    fn get_ext(&self) -> String {
        "s3log".to_owned()
    }
}

impl FileFormatFactory for S3LogFormatFactory {
    fn create(
        &self,
        _state: &dyn Session,
        _options: &HashMap<String, String>,
    ) -> DataFusionResult<Arc<dyn FileFormat>> {
        Ok(self.default())
    }

    fn default(&self) -> Arc<dyn FileFormat> {
        Arc::new(S3LogFormat::default())
    }
}
