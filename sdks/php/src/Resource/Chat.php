<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Internal\Sender;

/** Conversations: `$client->chat->completions`. */
final class Chat
{
    public readonly ChatCompletions $completions;

    public function __construct(Sender $sender)
    {
        $this->completions = new ChatCompletions($sender);
    }
}
