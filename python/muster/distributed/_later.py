"""Names of the field's API that are not there yet; each raises NotImplementedError when it is used."""

LATER = frozenset(
    "Actor ActorFuture BaseActorFuture Event Lock MultiLock Nanny NannyPlugin Pub Queue Scheduler SchedulerPlugin Security Semaphore SpecCluster SSHCluster "
    "Status Sub SubprocessCluster UploadDirectory UploadFile Variable Worker WorkerPlugin Adaptive PipInstall CondaInstall InstallPlugin Environ MemorySampler "
    "connect get_task_metadata get_task_stream performance_report rpc print warn span amm benchmark_hardware call_stack datasets dump_cluster_state "
    "forward_logging get_dataset get_events get_metadata get_scheduler_logs get_worker_logs list_datasets log_event normalize_collection profile "
    "publish_dataset rebalance recreate_error_locally recreate_task_locally register_plugin register_scheduler_plugin register_worker_callbacks "
    "register_worker_plugin replicate restart restart_workers retire_workers run run_on_scheduler set_metadata start story subscribe_topic unforward_logging "
    "unpublish_dataset unregister_scheduler_plugin unregister_worker_plugin unsubscribe_topic upload_file write_scheduler_file".split()
)
