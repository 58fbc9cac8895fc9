<?php

declare(strict_types=1);

namespace InnoAI\Page;

use InnoAI\Audit\Head;
use InnoAI\Model\AuditEntry;

/**
 * A page of the audit log; `head` is the latest entry of the whole.
 *
 * @extends Page<AuditEntry>
 */
final class AuditPage extends Page
{
    public readonly Head $head;

    protected function describe(#[\SensitiveParameter] array $answer): void
    {
        $this->head = new Head((int) ($answer['head']['sequence'] ?? 0), (string) ($answer['head']['hash'] ?? ''));
    }

    public function __debugInfo(): array
    {
        return [...parent::__debugInfo(), 'head' => $this->head];
    }
}
