DROP TABLE message_changes;
DROP TABLE messages;
DROP TABLE chats;
