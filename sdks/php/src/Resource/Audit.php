<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Audit\BrokenLink;
use InnoAI\Audit\Head;
use InnoAI\Audit\Log;
use InnoAI\Audit\Verified;
use InnoAI\Internal\Call;
use InnoAI\Model\AuditEntry;
use InnoAI\Page\AuditPage;
use InnoAI\Page\Listing;
use InnoAI\Stream\Download;

/** The audit log: what was done, by whom, and from where. */
final class Audit extends Resource
{
    /**
     * The entries, the newest first. `action`: a name, or several as `key.*`. `limit`: entries a page, 1-100.
     *
     * @param array{
     *     action?: string,
     *     actor_id?: string,
     *     target_id?: string,
     *     from?: string|\DateTimeInterface,
     *     to?: string|\DateTimeInterface,
     *     limit?: int,
     *     cursor?: string,
     * } $params
     */
    public function list(array $params = []): AuditPage
    {
        return AuditPage::first(new Listing($this->sender, '/audit', AuditEntry::class, $params));
    }

    /**
     * All entries, the oldest first, as lines of JSON; they are read as they come.
     *
     * @param array{
     *     action?: string,
     *     actor_id?: string,
     *     target_id?: string,
     *     from?: string|\DateTimeInterface,
     *     to?: string|\DateTimeInterface,
     * } $params
     */
    public function export(array $params = []): Download
    {
        $options = ['headers' => ['Accept' => 'application/jsonl']];
        return new Download($this->sender->open(Call::get('/audit', [...$params, 'format' => 'jsonl'], $options)));
    }

    /**
     * Whether the whole log fits together, up to what the server calls its head.
     *
     * @param iterable<Head> $heads of earlier verifications, which the log has to pass through as well
     */
    public function verify(iterable $heads = []): Verified|BrokenLink
    {
        $named = $this->list(['limit' => 1])->head;
        return Log::verify($this->export()->lines(), [$named, ...$heads]);
    }
}
